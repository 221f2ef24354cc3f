// A fuzzed input taken apart into numbers and texts, for targets whose subject is no plain text.
// Where nothing is left numbers are 0 and texts empty, so that every input means something.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace berth::fuzz {

// The bytes as text, which most targets take them for.
inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Borrows the bytes.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(text_of(data, size)) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }

  // An integer, its bytes as they lie there.
  template <class T>
  T number() {
    T number{};
    const std::string_view bytes = take(sizeof number);
    // std::string_view of nothing may point nowhere, which memcpy does not take.
    if (!bytes.empty()) std::memcpy(&number, bytes.data(), bytes.size());
    return number;
  }

  // A number less than `limit`, which is 256 at most: one byte.
  std::size_t below(std::size_t limit) { return number<std::uint8_t>() % limit; }

  // A text with its length (two bytes, the lesser first) before it, as far as it is there.
  std::string_view text() {
    const std::size_t low = number<std::uint8_t>();
    return take(low + std::size_t{number<std::uint8_t>()} * 256);
  }

  std::string_view rest() { return take(rest_.size()); }

 private:
  std::string_view take(std::size_t length) {
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(taken.size());
    return taken;
  }

  std::string_view rest_;
};

}  // namespace berth::fuzz
