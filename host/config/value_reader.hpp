// Single values of the config: a number, a switch, a duration, one of some words, a name. Each
// function gives the value, or tells what is wrong with it and gives nothing. `key` is its name in
// messages. Quotes make no difference: `workers: "2"` is 2, as templates often write it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/source.hpp"
#include "config/yaml_tree.hpp"

namespace berth {

// Text that is not empty. `what` says what it should be: "a name".
[[nodiscard]] std::optional<std::string> read_text(const YamlNode& node, std::string_view key,
                                                   std::string_view what, Diagnostics& problems);

// A whole number in decimal digits, from `least` to `most`.
[[nodiscard]] std::optional<std::uint32_t> read_number(const YamlNode& node, std::string_view key,
                                                       std::uint32_t least, std::uint32_t most,
                                                       Diagnostics& problems);

// `true` or `false`; none of the other words that some YAML readers take for these.
[[nodiscard]] std::optional<bool> read_switch(const YamlNode& node, std::string_view key,
                                              Diagnostics& problems);

// Where a duration has its end.
struct DurationRule {
  Duration least = Duration::zero();
  bool may_be_off = false;  // then `off` is kUnlimited
};
[[nodiscard]] std::optional<Duration> read_duration(const YamlNode& node, std::string_view key,
                                                    DurationRule rule, Diagnostics& problems);

// `64KiB`; a number of bytes of at least `least`.
[[nodiscard]] std::optional<std::uint64_t> read_size(const YamlNode& node, std::string_view key,
                                                     std::uint64_t least, Diagnostics& problems);

// The place of the given word among `words`.
[[nodiscard]] std::optional<std::size_t> read_choice(const YamlNode& node, std::string_view key,
                                                     const std::vector<std::string>& words,
                                                     Diagnostics& problems);

// The items of a list, or the one value that stands for a list of one. An empty list is told to be
// wrong, and empty items are; they are left out. `what` says what each is: "an address".
[[nodiscard]] std::vector<const YamlNode*> read_one_or_more(const YamlNode& node,
                                                            std::string_view key,
                                                            std::string_view what,
                                                            Diagnostics& problems);

}  // namespace berth
