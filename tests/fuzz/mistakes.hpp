// What holds for every mistake that the host tells of a text: it has words fit to be printed, and
// it stands somewhere within that text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/escape.hpp"
#include "base/source.hpp"
#include "require.hpp"

namespace berth::fuzz {

// What stands at a place and behind it in its line; nothing where the place is not within the text.
// Columns count bytes; the end of a line, and that of the text, belong to it.
inline std::optional<std::string_view> rest_of_line(std::string_view text, Position where) {
  if (where.line < 1 || where.column < 1) return std::nullopt;
  for (int line = 1; line < where.line; ++line) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  const auto before = static_cast<std::size_t>(where.column - 1);
  return before <= text.size() ? std::optional(text.substr(before)) : std::nullopt;
}

inline bool is_within(std::string_view text, Position where) {
  return rest_of_line(text, where).has_value();
}

inline std::string described(const Diagnostic& mistake) {
  return std::to_string(mistake.where.line) + ':' + std::to_string(mistake.where.column) + ": " +
         mistake.message;
}

inline void require_well_told(const std::vector<Diagnostic>& mistakes, std::string_view text) {
  for (const Diagnostic& mistake : mistakes) {
    const std::string told = described(mistake);
    require(!mistake.message.empty(), "a mistake is told in words", told);
    require(escaped(mistake.message) == mistake.message, "a message can be printed", told);
    // Some keys, names and a quotation; each character of the last may take four to be escaped.
    require(mistake.message.size() <= 2000 + 4 * text.size(), "a message is no flood", told);
    const bool of_the_whole =
        mistake.where == Position{} &&
        mistake.message == "the file is empty; it needs at least 'listeners:'";
    require(of_the_whole || is_within(text, mistake.where), "a mistake stands within its text",
            told);
  }
}

}  // namespace berth::fuzz
