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

// The one document of `text`; its maps have scalar keys, each once. Where that is not so the
// problems say what was wrong, and the faulty entries are left out. Nothing where there is no tree
// to go on with: bad syntax, an empty file, a limit.
[[nodiscard]] std::optional<YamlNode> parse_yaml(const std::string& text, Diagnostics& problems);

// "a list", "a map", "text", "nothing"
[[nodiscard]] std::string_view kind_name(const YamlNode& node);

}  // namespace berth
