#include "config/map_reader.hpp"

#include <algorithm>

namespace berth {
namespace {

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

MapReader::MapReader(const YamlNode& node, const KnownKeys& known, Diagnostics& problems)
    : problems_(problems), is_map_(node.kind == YamlNode::Kind::map) {
  if (!is_map_) {
    problems.add(node.where, known.owner + " is a map of 'key: value' lines, not " +
                                 std::string(kind_name(node)));
  }
  for (const auto& [key, value] : node.fields) read_field(key, value, known);
}

void MapReader::read_field(const YamlNode& key, const YamlNode& value, const KnownKeys& known) {
  if (!is_plain_key(key)) {
    is_unclear_ = true;
    has_merge_ = true;
    return;
  }
  if (std::find(known.names.begin(), known.names.end(), key.scalar) == known.names.end()) {
    complain_of_unknown(key, known);
    return;
  }
  // Of a key that is given twice the first counts; a likeness to it found before does not.
  const YamlNode*& known_value = values_[key.scalar];
  if (known_value != nullptr) return;
  if (value.kind == YamlNode::Kind::null) {
    problems_.add(key.where, "'" + key.scalar + ":' has no value");
  } else {
    known_value = &value;
  }
}

void MapReader::complain_of_unknown(const YamlNode& key, const KnownKeys& known) {
  is_unclear_ = true;
  if (const auto found = known.elsewhere.find(key.scalar); found != known.elsewhere.end()) {
    problems_.add(key.where, found->second);
    values_.emplace(key.scalar, nullptr);
    return;
  }
  if (const std::string meant = nearest(key.scalar, known.names); !meant.empty()) {
    values_.emplace(meant, nullptr);
  }
  problems_.add(key.where, "unknown key " + in_quotes(key.scalar) +
                               did_you_mean(key.scalar, known.names) + " (" + known.owner +
                               " takes " + list_of(known.names) + ")");
}

const YamlNode* MapReader::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : found->second;
}

bool MapReader::attempted(std::string_view name) const {
  return !is_map_ || has_merge_ || values_.find(name) != values_.end();
}

}  // namespace berth
