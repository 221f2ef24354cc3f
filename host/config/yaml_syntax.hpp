// What is wrong with a file that is not YAML at all, in words for someone who edits it. Plain
// functions on the text.
#pragma once

#include <string>
#include <string_view>

#include "base/source.hpp"

namespace berth {

// The line of that number without its end, "" past the last.
[[nodiscard]] std::string_view line_of(std::string_view text, int number);

// What yaml-cpp said (`words`) of the place `where`, made readable.
[[nodiscard]] Diagnostic explain_syntax_error(std::string_view text, Position where,
                                              std::string_view words);

// Whether a scalar that stands at `where`, behind its anchor and tag if it has any, opens a quote
// that is closed nowhere. yaml-cpp takes the rest of the file for its text.
[[nodiscard]] bool opens_endless_quote(std::string_view text, Position where);

}  // namespace berth
