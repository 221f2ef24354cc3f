// Many errors end in what to write instead. Whoever follows that must get somewhere.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>

#include "require.hpp"

namespace berth::fuzz {

// What `message` says to write behind the last of any of the `signs`, up to the next of `ends`;
// empty where it says nothing.
inline std::string advice_of(std::string_view message,
                             std::initializer_list<std::string_view> signs, const char* ends) {
  std::size_t start = 0;
  for (const std::string_view sign : signs) {
    const auto at = message.rfind(sign);
    if (at != std::string_view::npos) start = std::max(start, at + sign.size());
  }
  if (start == 0) return "";
  message.remove_prefix(start);
  return std::string(message.substr(0, message.find_first_of(ends)));
}

// `next` gives the advice that a text gets, "" for none. Following it never comes back to a text
// that was refused before, and ends soon.
template <class Next>
void require_advice_leads_on(std::string text, Next next) {
  constexpr std::size_t kMostSteps = 4;
  std::set<std::string> refused;
  for (std::string advice = next(text); !advice.empty(); advice = next(text)) {
    require(refused.insert(text).second && advice != text, "advice does not lead in a circle",
            text);
    require(refused.size() <= kMostSteps, "advice soon comes to an end", text);
    text = advice;
  }
}

}  // namespace berth::fuzz
