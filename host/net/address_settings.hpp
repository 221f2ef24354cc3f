// What may stand behind the '?' of an address: `key=value&key=value`.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

namespace berth {

struct AddressSetting {
  std::string_view key;
  std::string_view value;  // empty without a '='
};

[[nodiscard]] inline std::vector<AddressSetting> divide_settings(std::string_view text) {
  std::vector<AddressSetting> settings;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(one.size() + 1, text.size()));
    const auto equals = one.find('=');
    settings.push_back({one.substr(0, equals), equals == std::string_view::npos
                                                   ? std::string_view{}
                                                   : one.substr(equals + 1)});
  }
  return settings;
}

}  // namespace berth
