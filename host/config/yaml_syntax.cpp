#include "config/yaml_syntax.hpp"

#include <algorithm>

namespace berth {
namespace {

struct Words {
  std::string_view theirs;  // how their message begins
  std::string_view ours;
};

constexpr std::string_view kIndentation =
    "unexpected here; lines of one map or list begin in the same column, as this one does not";
constexpr std::string_view kAfterValue =
    "unexpected after what stands before it in the line; put the whole value in quotes, or a ',' "
    "between two values within brackets";
constexpr std::string_view kEndlessQuotes = "quotes that are not closed before the end of the file";
constexpr std::string_view kBadDirective = "a line with '%' that is not understood; leave it out";
constexpr std::string_view kBadAnchor =
    "'&' begins an anchor, and this is none; put quotes around it if it is text";
constexpr std::string_view kBadAlias =
    "'*' begins an alias, and no '&' above it names one; put quotes around it if it is text";
constexpr std::string_view kBadTag =
    "'!' begins a tag, and tags are not used here; put quotes around it if it is text";
constexpr std::string_view kTab = "indented with a tab; YAML takes only spaces there";

constexpr Words kWords[] = {
    {"illegal map value",
     "unexpected ':'; check the indentation, write 'key: value' with a space and one on a line, "
     "and put quotes around text that has ': ' in it"},
    {"illegal block entry", "unexpected '-'; a list begins on a line of its own below its key"},
    {"illegal map key", "unexpected '?'; write 'key: value'"},
    {"unexpected token after end of document",
     "this does not belong to what stands above; check the indentation"},
    {"illegal flow end", "a closing bracket that nothing opened"},
    {"illegal tab", kTab},
    {"illegal EOF in scalar", kEndlessQuotes},
    {"illegal document indicator", "'---' or '...' within quotes; close them before it"},
    {"illegal character in scalar", kTab},
    {"end of map flow", "a '{' that is not closed by '}'"},
    {"end of sequence flow",
     "a '[' that is not closed by ']'; within brackets put quotes around text that has '[', ']' or "
     "','"},
    {"end of map", kIndentation},
    {"end of sequence", kIndentation},
    {"the referenced anchor", kBadAlias},
    {"unexpected character in block scalar", "only + or - and one digit may follow '|' or '>'"},
    {"cannot set zero indentation", "the digit after '|' or '>' cannot be 0"},
    {"bad character found while scanning hex",
     "only hexadecimal digits may follow \\x, \\u or \\U"},
    {"invalid unicode", "no such character; check the digits after \\u or \\U"},
    {"YAML ", kBadDirective},
    {"bad YAML version", kBadDirective},
    {"repeated ", kBadDirective},
    {"TAG directives", kBadDirective},
    {"anchor not found", kBadAnchor},
    {"illegal character found while scanning anchor", kBadAnchor},
    {"alias not found", kBadAlias},
    {"illegal character found while scanning alias", kBadAlias},
    {"aliases can't have any content", kBadAlias},
    {"tag handle with no suffix", kBadTag},
    {"illegal character found while scanning tag", kBadTag},
    {"end of verbatim tag", kBadTag},
    {"cannot assign multiple", "two anchors or two tags before one value"},
};

std::string_view from(std::string_view text, Position where) {
  const std::string_view line = line_of(text, where.line);
  if (line.data() == nullptr || where.column < 1) return {};
  const auto offset = static_cast<std::size_t>(line.data() - text.data()) +
                      static_cast<std::size_t>(where.column - 1);
  return offset < text.size() ? text.substr(offset) : std::string_view{};
}

// The column of a tab among the spaces that a line begins with; 0 if there is none.
int tab_in_indentation(std::string_view line) {
  const std::string_view indentation = line.substr(0, line.find_first_not_of(" \t"));
  return static_cast<int>(indentation.find('\t') + 1);
}

std::string readable(std::string_view text, Position where, std::string_view words) {
  for (const Words& known : kWords) {
    if (!words.starts_with(known.theirs)) continue;
    const bool is_first = line_of(text, where.line).find_first_not_of(" -") + 1 >=
                          static_cast<std::size_t>(std::max(where.column, 1));
    return std::string(known.ours == kIndentation && !is_first ? kAfterValue : known.ours);
  }
  const std::string_view here = from(text, where);
  if (words == "unexpected scalar") return std::string(kAfterValue);
  if (words == "unknown token" && !here.empty()) {
    return "text cannot begin with " + in_quotes(here.substr(0, 1)) + "; put it in quotes";
  }
  constexpr std::string_view kEscape = "unknown escape character: ";
  if (words.starts_with(kEscape)) {
    // yaml-cpp's sign for the end of the file; none in the file was let in.
    if (words.ends_with('\x04')) return std::string(kEndlessQuotes);
    return "unknown escape '\\" + std::string(words.substr(kEscape.size())) +
           "' in double quotes; write \\\\ for a backslash, or use single quotes";
  }
  return "not YAML: " + std::string(words);
}

}  // namespace

std::string_view line_of(std::string_view text, int number) {
  for (int i = 1; i < number; ++i) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find_first_of("\r\n"));
}

Diagnostic explain_syntax_error(std::string_view text, Position where, std::string_view words) {
  const std::string_view line = line_of(text, where.line);
  // A tab is not seen on the screen, and what is said of it depends on what follows it.
  if (const int column = tab_in_indentation(line); column > 0) {
    return {{where.line, column}, std::string(kTab)};
  }
  // At the end of the file yaml-cpp goes on to count what it does not find there.
  const auto end = static_cast<int>(line.size() + 1);
  if (line.data() != nullptr && where.column > end) where.column = end;
  return {where, readable(text, where, words)};
}

bool opens_endless_quote(std::string_view text, Position where) {
  std::string_view rest = from(text, where);
  while (rest.starts_with('&') || rest.starts_with('!')) {
    rest.remove_prefix(std::min(rest.find_first_of(" \t\r\n"), rest.size()));
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
  }
  if (!rest.starts_with('"') && !rest.starts_with('\'')) return false;
  const char quote = rest[0];
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '\\' && quote == '"') {
      ++i;
    } else if (rest[i] == quote) {
      // In single quotes '' is a quote within.
      if (quote == '"' || i + 1 >= rest.size() || rest[i + 1] != quote) return false;
      ++i;
    }
  }
  return true;
}

}  // namespace berth
