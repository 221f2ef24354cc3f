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

  // Defined below, where a pair of these is a whole type: clang insists.
  OptionValue();
  OptionValue(const OptionValue&);
  OptionValue(OptionValue&&) noexcept;
  OptionValue& operator=(const OptionValue&);
  OptionValue& operator=(OptionValue&&) noexcept;
  ~OptionValue();

  // Wherever they stand.
  bool operator==(const OptionValue& other) const;

  Kind kind = Kind::null;
  Position where;
  std::string scalar;
  std::vector<OptionValue> items;                           // kind list
  std::vector<std::pair<OptionValue, OptionValue>> fields;  // kind map: key (a scalar) and value
};

inline OptionValue::OptionValue() = default;
inline OptionValue::OptionValue(const OptionValue&) = default;
inline OptionValue::OptionValue(OptionValue&&) noexcept = default;
inline OptionValue& OptionValue::operator=(const OptionValue&) = default;
inline OptionValue& OptionValue::operator=(OptionValue&&) noexcept = default;
inline OptionValue::~OptionValue() = default;
inline bool OptionValue::operator==(const OptionValue& other) const {
  return kind == other.kind && scalar == other.scalar && items == other.items &&
         fields == other.fields;
}

// NAME: VALUE below a listener's `options:`.
struct OptionSetting {
  std::string name;
  Position where;  // of the name
  OptionValue value;

  bool operator==(const OptionSetting& other) const {
    return name == other.name && value == other.value;
  }
};

}  // namespace berth
