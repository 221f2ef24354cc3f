// YAML text as a tree of values with their places. The only file that knows yaml-cpp, of which it
// takes the parser's events and not its nodes: nodes lose duplicate keys, follow aliases without
// end, and put the null of `key:` on the next line.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/source.hpp"
#include "plugin/option_value.hpp"

namespace berth {

// The tree is made of the values that options are made of, since whatever stands below `options:`
// is handed on as it is. A null stands where its key stands, or in a list where the list begins.
using YamlNode = OptionValue;

// The limits keep a file of aliases of aliases from growing beyond what it is worth.
constexpr std::size_t kMostYamlNodes = 100'000;
constexpr int kDeepestYaml = 64;

// The one document of `text`. What is wrong with the keys of its maps (given twice, no text, a
// merge) has been told then, though they still stand in the tree. Nothing where there is no tree to
// go on with: bad syntax, an empty file, a limit.
[[nodiscard]] std::optional<YamlNode> parse_yaml(const std::string& text, Diagnostics& problems);

// Whether a key is one that can be known: text, and not `<<`.
[[nodiscard]] bool is_plain_key(const YamlNode& key);

// "a list", "a map", "text", "nothing"
[[nodiscard]] std::string_view kind_name(const YamlNode& node);

}  // namespace berth
