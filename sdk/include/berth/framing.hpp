// Lines and Exactly: messages out of a stream. Part of <berth/handler.hpp>.
#pragma once

#include <berth/connection.hpp>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace berth {
inline namespace v1 {

// A message was longer than the handler allows, or the stream ended in the middle of one.
class BadFrame : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What was read and not yet taken. Give one Buffer to both Lines and Exactly where a protocol mixes
// them (a header of lines, then a body of so many bytes).
class Buffer {
 public:
  explicit Buffer(Connection connection) : connection_(connection) {}

  [[nodiscard]] std::string_view bytes() const { return std::string_view(bytes_).substr(taken_); }
  // The view holds until the next more().
  std::string_view take(std::size_t count) {
    const std::string_view taken = bytes().substr(0, count);
    taken_ += taken.size();
    return taken;
  }
  // Reads once; false at the end of the stream.
  Task<bool> more(ReadOptions options) {
    bytes_.erase(0, std::exchange(taken_, 0));
    const auto read = co_await connection_.read(options);
    if (read) bytes_.append(*read);
    co_return read.has_value();
  }

 private:
  Connection connection_;
  std::string bytes_;
  std::size_t taken_ = 0;
};

// Lines that end in LF or CRLF, without that end; the last one may lack it.
class Lines {
 public:
  static constexpr std::size_t kLongest = 64 * 1024;

  explicit Lines(Connection connection, std::size_t longest = kLongest)
      : own_(connection), buffer_(*own_), longest_(longest) {}
  explicit Lines(Buffer& buffer, std::size_t longest = kLongest)
      : buffer_(buffer), longest_(longest) {}
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  // The next line, valid until the next call, or an empty optional at the end of the stream. Throws
  // BadFrame for a line of more than `longest` bytes, and ConnectionLost.
  Task<std::optional<std::string_view>> next(ReadOptions options = {}) {
    std::size_t searched = 0;
    for (;;) {
      const std::string_view bytes = buffer_.bytes();
      const std::size_t end = bytes.find('\n', searched);
      std::string_view line = bytes.substr(0, end);
      if (line.ends_with('\r')) line.remove_suffix(1);  // of CRLF; its LF may be yet to come
      check(line);
      if (end != bytes.npos) {
        buffer_.take(end + 1);
        co_return line;
      }
      searched = bytes.size();
      const bool more = co_await buffer_.more(options);
      if (!more) break;
    }
    const std::string_view rest = buffer_.take(buffer_.bytes().size());
    check(rest);
    if (rest.empty()) co_return std::nullopt;
    co_return rest;
  }

 private:
  void check(std::string_view line) const {
    if (line.size() > longest_) throw BadFrame("a line is too long");
  }

  std::optional<Buffer> own_;
  Buffer& buffer_;
  std::size_t longest_;
};

// So many bytes, no more and no fewer.
class Exactly {
 public:
  explicit Exactly(Connection connection) : own_(connection), buffer_(*own_) {}
  explicit Exactly(Buffer& buffer) : buffer_(buffer) {}
  Exactly(const Exactly&) = delete;
  Exactly& operator=(const Exactly&) = delete;

  // The next `count` bytes, valid until the next call, or an empty optional where the stream ends
  // before the first of them. Throws BadFrame where it ends later, and ConnectionLost.
  Task<std::optional<std::string_view>> next(std::size_t count, ReadOptions options = {}) {
    while (buffer_.bytes().size() < count) {
      const bool more = co_await buffer_.more(options);
      if (more) continue;
      if (buffer_.bytes().empty()) co_return std::nullopt;
      throw BadFrame("the stream ended in the middle of a message");
    }
    co_return buffer_.take(count);
  }

 private:
  std::optional<Buffer> own_;
  Buffer& buffer_;
};

}  // namespace v1
}  // namespace berth
