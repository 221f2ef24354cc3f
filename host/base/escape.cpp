#include "base/escape.hpp"

#include <cstdint>

namespace berth {
namespace {

constexpr std::size_t kLongestNote = 40;  // "… (N bytes more)" for any N

unsigned byte_of(char c) { return static_cast<unsigned char>(c); }

void append_hex(std::string& out, unsigned byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

// The bytes of one character that cannot stand as it is.
void append_escape(std::string& out, std::string_view bytes, bool well_formed, Escape form) {
  const char c = bytes[0];
  if (c == '\n') {
    out += "\\n";
  } else if (c == '\t') {
    out += "\\t";
  } else if (c == '\r') {
    out += "\\r";
  } else if (form == Escape::json && well_formed) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else {
      out += "\\u00";
      append_hex(out, byte_of(bytes.back()));
    }
  } else {
    for (const char byte : bytes) {
      // A JSON string cannot hold a stray byte; its hexadecimal text it can.
      out += form == Escape::json ? "\\\\x" : "\\x";
      append_hex(out, byte_of(byte));
    }
  }
}

bool stands_as_it_is(std::string_view character, Escape form) {
  const unsigned first = byte_of(character[0]);
  if (first < 0x20 || first == 0x7f) return false;
  // U+0080 to U+009F are control characters too; some terminals obey them.
  if (first == 0xC2 && byte_of(character[1]) < 0xA0) return false;
  return form == Escape::text || (first != '"' && first != '\\');
}

// That which `text` begins with; returns its length there.
std::size_t append_character(std::string& out, std::string_view text, Escape form) {
  const std::size_t length = utf8_length(text);
  const std::string_view character = text.substr(0, length > 0 ? length : 1);
  if (length > 0 && stands_as_it_is(character, form)) {
    out += character;
  } else {
    append_escape(out, character, length > 0, form);
  }
  return character.size();
}

// How many bytes `text` begins with that are printable ASCII and stand as they are.
std::size_t plain_length(std::string_view text, Escape form) {
  std::size_t length = 0;
  while (length < text.size() && byte_of(text[length]) < 0x7f &&
         stands_as_it_is(text.substr(length, 1), form)) {
    ++length;
  }
  return length;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const unsigned first = byte_of(text[0]);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() < length) return 0;
  std::uint32_t code = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte_of(text[i]) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte_of(text[i]) & 0x3F);
  }
  const bool too_long = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return too_long || surrogate || code > 0x10FFFF ? 0 : length;
}

std::string escaped(std::string_view text) {
  return escaped(text, Escape::text, std::string::npos);
}

std::string escaped(std::string_view text, Escape form, std::size_t limit) {
  const std::size_t limit_with_note = limit > kLongestNote ? limit - kLongestNote : 0;
  std::string out;
  // The longest beginnings of `out` and `text` that leave room for the note.
  std::size_t kept_out = 0;
  std::size_t kept_text = 0;
  for (std::size_t i = 0; i < text.size();) {
    // Nearly all there ever is stands as it is: it is taken at once, up to where the note may
    // begin.
    const std::size_t end = out.size() < limit_with_note ? limit_with_note : limit + 1;
    const std::size_t plain = plain_length(text.substr(i, end - out.size()), form);
    out += text.substr(i, plain);
    i += plain > 0 ? plain : append_character(out, text.substr(i), form);
    if (out.size() <= limit_with_note) {
      kept_out = out.size();
      kept_text = i;
    } else if (out.size() > limit) {
      out.resize(kept_out);
      return out + "… (" + std::to_string(text.size() - kept_text) + " bytes more)";
    }
  }
  return out;
}

}  // namespace berth
