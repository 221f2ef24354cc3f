#include "config/config_text.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/escape.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

namespace berth {
namespace {

std::string hexadecimal(char c) {
  constexpr char kDigits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return {'0', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
}

std::string cannot_open(int errno_value) {
  if (errno_value == ENOENT) return "there is no such file";
  return system_error("cannot open it", errno_value).message;
}

// Reads up to one byte more than a config may have, by which a longer one is known.
Result<std::string> read_bounded(int file) {
  std::string text(kLongestConfig + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("cannot read it", errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

// Why the character at the front of `text` is not one of a text; empty if it is.
std::string objection_to_character(std::string_view text, std::size_t length) {
  if (length == 0) {
    return "the byte " + hexadecimal(text[0]) + " is not UTF-8; save the file as UTF-8";
  }
  if (text[0] == '\0') return "a NUL byte; this is not a text file";
  const auto first = static_cast<unsigned char>(text[0]);
  const bool allowed = first == '\t' || first == '\n' || first == '\r';
  if ((first < 0x20 && !allowed) || first == 0x7f) {
    return "the control character " + hexadecimal(text[0]) + "; take it out";
  }
  return "";
}

}  // namespace

std::optional<std::string> read_config_text(const std::filesystem::path& file,
                                            Diagnostics& problems) {
  const Fd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat status = {};
  if (!opened || ::fstat(opened.get(), &status) != 0) {
    problems.add({}, cannot_open(errno));
    return std::nullopt;
  }
  if (S_ISDIR(status.st_mode)) {
    problems.add({}, "this is a folder; give a file: berth run CONFIG");
    return std::nullopt;
  }
  Result<std::string> text = read_bounded(opened.get());
  if (!text) {
    problems.add({}, text.error().message);
    return std::nullopt;
  }
  if (text->size() > kLongestConfig) {
    problems.add({}, "longer than 1 MiB; this is hardly a config");
    return std::nullopt;
  }
  return std::move(*text);
}

bool check_is_text(std::string_view text, Diagnostics& problems) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    problems.add({1, 1}, "the file is UTF-16; save it as UTF-8");
    return false;
  }
  Position here{1, 1};
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    if (std::string why = objection_to_character(text.substr(i), length); !why.empty()) {
      problems.add(here, why);
      return false;
    }
    here = text[i] == '\n' ? Position{here.line + 1, 1}
                           : Position{here.line, here.column + static_cast<int>(length)};
    i += length;
  }
  return true;
}

}  // namespace berth
