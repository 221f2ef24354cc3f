// A listener's `options:` against the table of its handler.
#pragma once

#include <berth/abi.h>

#include <deque>
#include <string>
#include <vector>

#include "base/source.hpp"
#include "plugin/option_value.hpp"

namespace berth {

// The values as create() takes them, with the memory they point into.
class BoundOptions {
 public:
  [[nodiscard]] const std::vector<berth_setting>& settings() const { return settings_; }

  // The texts are copied and kept, each ended by a zero.
  berth_bytes keep(const std::string& text);
  const berth_bytes* keep(std::vector<berth_bytes> items);
  void add(const berth_setting& setting) { settings_.push_back(setting); }

 private:
  std::vector<berth_setting> settings_;
  std::deque<std::string> texts_;
  std::deque<std::vector<berth_bytes>> lists_;
};

// Types and limits checked; every mistake goes into `problems` at its place, `listener` (the place
// of the listener's handler) being that of a required option which is not there.
[[nodiscard]] BoundOptions bind_options(const berth_plugin& plugin,
                                        const std::vector<OptionSetting>& given, Position listener,
                                        Diagnostics& problems);

// Row i of the plugin's table of options, whatever size its rows have.
[[nodiscard]] const berth_option& option_row(const berth_plugin& plugin, std::size_t index);

// For people: "duration", "one of 'stamped' or 'verbatim'", …
[[nodiscard]] std::string type_of(const berth_option& option);
// "1 to 10", "250ms to 5s"; empty where there are no limits, or only those of a 64-bit number.
[[nodiscard]] std::string limits_of(const berth_option& option);

}  // namespace berth
