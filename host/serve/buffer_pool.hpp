// Buffers lent to reads. One pool a thread that serves; a connection that waits for input holds
// none.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace berth {

class BufferPool {
 public:
  static constexpr std::size_t kBufferSize = 64 * 1024;
  // Kept for the next reads; more than these are freed when they come back.
  static constexpr std::size_t kKept = 64;

  using Buffer = std::unique_ptr<char[]>;

  BufferPool() { free_.reserve(kKept); }

  // kBufferSize bytes of anything. Throws std::bad_alloc.
  [[nodiscard]] Buffer take() {
    if (free_.empty()) return std::make_unique_for_overwrite<char[]>(kBufferSize);
    Buffer buffer = std::move(free_.back());
    free_.pop_back();
    return buffer;
  }
  void give_back(Buffer buffer) {
    if (buffer && free_.size() < kKept) free_.push_back(std::move(buffer));
  }

 private:
  std::vector<Buffer> free_;
};

}  // namespace berth
