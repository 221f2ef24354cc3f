// Text that someone else may have chosen (a peer, a plugin, the author of a file), made fit to be
// printed: no byte of it can move a terminal's cursor, forge a line or break an encoding.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace berth {

// The length of the UTF-8 character that `text` begins with; 0 if it begins with none (it is
// empty, malformed, cut off, longer than needed, a surrogate, or beyond U+10FFFF).
[[nodiscard]] std::size_t utf8_length(std::string_view text);

// `text` with control characters and malformed bytes as \n, \t, \xHH; other UTF-8 as it is.
[[nodiscard]] std::string escaped(std::string_view text);

enum class Escape { text, json };  // json: as the inside of a JSON string

// As escaped(), but no longer than `limit`: what is too much is cut between two characters, and
// "… (N bytes more)" stands in its place.
[[nodiscard]] std::string escaped(std::string_view text, Escape form, std::size_t limit);

}  // namespace berth
