// A map of the config, read strictly: every key is one of those known, and what is missing is told
// unless a slip of the pen explains it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/source.hpp"
#include "config/yaml_tree.hpp"

namespace berth {

struct KnownKeys {
  std::string owner;  // "a listener"
  std::vector<std::string> names;
  // Keys that people look for here and that stand elsewhere: what to tell them.
  std::map<std::string, std::string> elsewhere = {};
};

// Borrows the node and the problems. The mistakes in the keys are told when it is made.
class MapReader {
 public:
  MapReader(const YamlNode& node, const KnownKeys& known, Diagnostics& problems);

  // The value of a key; null if it is not there or has no value (which is told already).
  [[nodiscard]] const YamlNode* find(std::string_view name) const;
  // Whether the key is there, or something that was probably meant by it, even if without value:
  // whatever was wrong with it has been told.
  [[nodiscard]] bool attempted(std::string_view name) const;
  [[nodiscard]] bool is_map() const { return is_map_; }
  // Whether a key was not understood, so that what it was to set is not known either.
  [[nodiscard]] bool is_unclear() const { return is_unclear_; }

 private:
  void read_field(const YamlNode& key, const YamlNode& value, const KnownKeys& known);
  void complain_of_unknown(const YamlNode& key, const KnownKeys& known);

  Diagnostics& problems_;
  std::map<std::string, const YamlNode*, std::less<>> values_;  // null: told to be wrong
  bool is_map_ = true;
  bool is_unclear_ = false;
  bool has_merge_ = false;  // or another key that might have brought anything
};

}  // namespace berth
