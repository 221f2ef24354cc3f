// Fuzz target: config/yaml_tree and config/yaml_syntax. The input is a YAML text; its first bytes
// are also a place, at which an error of the YAML library is said to be.
#include <string>

#include "config/config_text.hpp"
#include "config/yaml_syntax.hpp"
#include "config/yaml_tree.hpp"
#include "input.hpp"
#include "mistakes.hpp"
#include "require.hpp"

namespace berth::fuzz {
namespace {

using Kind = YamlNode::Kind;

// A text stands where it is said to: its own first character, or what may come before it there.
void check_scalar(const YamlNode& node, std::string_view text) {
  constexpr std::string_view kBefore = "\"'&!|>";
  const std::string_view rest = rest_of_line(text, node.where).value_or("");
  const bool begins = !rest.empty() && (kBefore.find(rest[0]) != kBefore.npos ||
                                        (!node.scalar.empty() && rest[0] == node.scalar[0]));
  require(begins, "a value stands where it is said to", node.scalar);
}

// Gives how many values there are.
std::size_t check_tree(const YamlNode& node, std::string_view text, int depth) {
  require(is_within(text, node.where), "a value stands within the text", node.scalar);
  require(depth <= kDeepestYaml + 1, "a tree has no more than its depth");
  std::size_t count = 1;
  if (node.kind == Kind::scalar) check_scalar(node, text);
  for (const YamlNode& item : node.items) count += check_tree(item, text, depth + 1);
  for (const auto& [key, value] : node.fields) {
    count += check_tree(key, text, depth + 1) + check_tree(value, text, depth + 1);
  }
  return count;
}

void check_text(const std::string& text) {
  Diagnostics problems("f");
  if (!check_is_text(text, problems)) {
    require(problems.sorted().size() == 1, "what is no text is told once", text);
    return require_well_told(problems.sorted(), text);
  }
  const auto root = parse_yaml(text, problems);
  require(root.has_value() || !problems.empty(), "where there is no tree there is a mistake", text);
  require_well_told(problems.sorted(), text);
  if (!root) return;
  // Which no editor shows, and no column counts.
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  const std::size_t start = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  require(check_tree(*root, std::string_view(text).substr(start), 1) <= kMostYamlNodes,
          "a tree has no more than its limit", text);
}

// The YAML library is not asked where it may say that an error is.
void check_explanation(std::string_view text, Position where) {
  const Diagnostic explained = explain_syntax_error(text, where, "unknown token");
  require(!explained.message.empty(), "an error of syntax has words", text);
  require(explained.where == where || where.line < 1 || is_within(text, explained.where),
          "an error that is moved stays within the text", text);
  const auto line = line_of(text, where.line);
  require(line.find_first_of("\r\n") == line.npos, "a line has no end within", text);
  const bool endless = opens_endless_quote(text, where);
  const auto rest = rest_of_line(text, where);
  if (rest && rest->find_first_of("\"'&!") != 0) {
    require(!endless, "what opens no quote opens no endless one", text);
  }
}

}  // namespace
}  // namespace berth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const std::string text(fuzz::text_of(data, size));
  fuzz::check_text(text);
  fuzz::Input input(data, size);
  const int line = input.number<std::int8_t>();
  fuzz::check_explanation(text, {line, input.number<std::int8_t>()});
  fuzz::check_explanation(text, {line, input.number<std::int32_t>()});
  return 0;
}
