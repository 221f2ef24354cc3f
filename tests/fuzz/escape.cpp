// Fuzz target: base/escape. The input: a byte for the form, a byte for the limit, then the text.
#include "base/escape.hpp"

#include <optional>
#include <string>

#include "base/source.hpp"
#include "input.hpp"
#include "require.hpp"

namespace berth::fuzz {
namespace {

bool is_between(unsigned byte, unsigned least, unsigned most) {
  return least <= byte && byte <= most;
}

// As utf8_length(), but by the Unicode standard's table of well-formed byte sequences (3-7).
std::size_t length_by_table(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.empty()) return 0;
  if (byte(0) < 0x80) return 1;
  std::size_t length = 0;
  unsigned least = 0x80, most = 0xBF;  // of the second byte
  if (is_between(byte(0), 0xC2, 0xDF)) length = 2;
  if (is_between(byte(0), 0xE0, 0xEF)) length = 3;
  if (is_between(byte(0), 0xF0, 0xF4)) length = 4;
  if (byte(0) == 0xE0) least = 0xA0;
  if (byte(0) == 0xED) most = 0x9F;
  if (byte(0) == 0xF0) least = 0x90;
  if (byte(0) == 0xF4) most = 0x8F;
  if (length == 0 || text.size() < length || !is_between(byte(1), least, most)) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (!is_between(byte(i), 0x80, 0xBF)) return 0;
  }
  return length;
}

bool is_well_formed(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = length_by_table(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool is_printable(std::string_view text) {
  if (!is_well_formed(text)) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return false;
    // U+0080 to U+009F. A 0xC2 begins a character wherever it stands in well-formed text.
    if (byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) return false;
  }
  return true;
}

// The text that stands for `inside` between the quotes of a JSON string; nothing where it is not
// JSON. Knows of \u only what is below U+0100, as no other character needs it.
std::optional<std::string> read_json(std::string_view inside) {
  constexpr std::string_view kShort = "nrt\"\\", kMeant = "\n\r\t\"\\";
  std::string text;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] == '"') return std::nullopt;
    if (inside[i] != '\\') {
      text += inside[i];
      continue;
    }
    if (++i == inside.size()) return std::nullopt;
    if (const auto which = kShort.find(inside[i]); which != kShort.npos) {
      text += kMeant[which];
      continue;
    }
    const std::string digits(inside.substr(i, 5));
    if (digits.size() != 5 || !digits.starts_with("u00")) return std::nullopt;
    std::size_t used = 0;
    const int code = std::stoi(digits.substr(3), &used, 16);
    if (used != 2) return std::nullopt;
    if (code < 0x80) {
      text += static_cast<char>(code);
    } else {
      text += {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
    }
    i += 4;
  }
  return text;
}

void check_whole(std::string_view text) {
  const std::string plain = escaped(text);
  require(is_printable(plain), "what is escaped can be printed", text);
  require(escaped(plain) == plain, "what is escaped is not escaped again", text);
  if (is_printable(text)) require(plain == text, "what can be printed stays as it is", text);

  const std::string json = escaped(text, Escape::json, std::string::npos);
  require(is_printable(json), "what is escaped for JSON can be printed", text);
  const auto read = read_json(json);
  require(read.has_value(), "what is escaped for JSON is the inside of a JSON string", text);
  if (is_well_formed(text)) require(read == text, "JSON reads back as the same", text);
}

void check_cut(std::string_view text, Escape form, std::size_t limit) {
  const std::string whole = escaped(text, form, std::string::npos);
  const std::string cut = escaped(text, form, limit);
  require(cut.size() <= limit, "escaped text is within its limit", text);
  if (whole.size() <= limit) return require(cut == whole, "what fits is not cut", text);
  require(is_printable(cut), "what is cut can be printed", text);
  const auto note = cut.rfind("… (");
  require(note != cut.npos && cut.ends_with(" bytes more)"), "a cut is told", text);
  const std::size_t missing = std::stoul(cut.substr(note + std::string("… (").size()));
  require(missing <= text.size(), "no more is missing than there was", text);
  require(escaped(text.substr(0, text.size() - missing), form, std::string::npos) ==
              cut.substr(0, note),
          "what is not missing is there", text);
}

void check_quotes(std::string_view text) {
  const std::string quoted = in_quotes(text);
  require(quoted.size() <= 70, "a quotation is short", text);
  if (is_well_formed(text)) require(is_well_formed(quoted), "a quotation cuts no character", text);
}

}  // namespace
}  // namespace berth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  fuzz::Input input(data, size);
  const Escape form = input.below(2) == 0 ? Escape::text : Escape::json;
  const std::size_t limit = 40 + input.below(256);
  const std::string_view text = input.rest();
  fuzz::require(utf8_length(text) == fuzz::length_by_table(text), "characters are known", text);
  fuzz::check_whole(text);
  fuzz::check_cut(text, form, limit);
  fuzz::check_quotes(text);
  return 0;
}
