// Buffers lent to reads, and where they go back to. One pool a thread that serves; a connection
// that waits for input holds none.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace berth {

// Whoever lends a buffer takes it back.
class Lender {
 public:
  virtual void take_back(char* buffer) noexcept = 0;

 protected:
  ~Lender() = default;
};

// A buffer that goes back to its lender, who outlives it, when it is let go.
struct GiveBack {
  Lender* lender = nullptr;
  void operator()(char* buffer) const noexcept { lender->take_back(buffer); }
};
using Lent = std::unique_ptr<char, GiveBack>;

class BufferPool final : public Lender {
 public:
  static constexpr std::size_t kBufferSize = 64 * 1024;
  // Kept for the next reads; more than these are freed when they come back.
  static constexpr std::size_t kKept = 64;

  BufferPool() { free_.reserve(kKept); }

  // kBufferSize bytes of anything. Throws std::bad_alloc.
  [[nodiscard]] Lent take() {
    if (free_.empty()) return {new char[kBufferSize], {this}};
    char* const buffer = free_.back().release();
    free_.pop_back();
    return {buffer, {this}};
  }
  void take_back(char* buffer) noexcept override {
    std::unique_ptr<char[]> back(buffer);
    if (free_.size() < kKept) free_.push_back(std::move(back));
  }

 private:
  std::vector<std::unique_ptr<char[]>> free_;
};

}  // namespace berth
