// One option of a handler as the YAML gave it: untyped text, lists and maps, each with its place.
// Only the plugin's own table (plugin/options.hpp) knows the types.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/source.hpp"

namespace berth {

struct OptionValue {
  enum class Kind { scalar, list, map, null };

  Kind kind = Kind::null;
  Position where;
  std::string scalar;
  std::vector<OptionValue> items;                           // kind list
  std::vector<std::pair<OptionValue, OptionValue>> fields;  // kind map: key (a scalar) and value
};

// NAME: VALUE below a listener's `options:`.
struct OptionSetting {
  std::string name;
  Position where;  // of the name
  OptionValue value;
};

}  // namespace berth
