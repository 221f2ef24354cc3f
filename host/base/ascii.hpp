// Letters and digits as names and numbers of a config are made of: those of ASCII, whatever the
// locale.
#pragma once

#include <string>
#include <string_view>

namespace berth {

[[nodiscard]] inline std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

// Of one digit at least.
[[nodiscard]] inline bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace berth
