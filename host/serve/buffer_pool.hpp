// Buffers lent to reads, and where they go back to. One pool a thread that serves. A connection
// that waits for input in a loop holds none, one that waits in its system call the one it reads
// into.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>

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

// The free ones are chained through their own first bytes, so that taking one touches no memory but
// the pool's own and what will be read into: after a fork each page that is touched is a copy made.
class BufferPool final : public Lender {
 public:
  static constexpr std::size_t kBufferSize = 64 * 1024;
  // Kept for the next reads; more than these are freed when they come back.
  static constexpr unsigned kKept = 64;

  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool() {
    while (free_ != nullptr) delete[] pop();
  }

  // kBufferSize bytes of anything. Throws std::bad_alloc.
  [[nodiscard]] Lent take() { return {free_ != nullptr ? pop() : new char[kBufferSize], {this}}; }
  [[gnu::hot]] void take_back(char* buffer) noexcept override {
    if (count_ == kKept) {
      delete[] buffer;
      return;
    }
    std::memcpy(buffer, &free_, sizeof free_);
    free_ = buffer;
    ++count_;
  }

  // In a process just forked: a pool with the free buffers of this one, which is not to be used
  // there any more, and is not written to.
  [[nodiscard]] BufferPool inherited() const { return {free_, count_}; }

 private:
  BufferPool(char* free, unsigned count) : free_(free), count_(count) {}

  char* pop() noexcept {
    char* const first = free_;
    std::memcpy(&free_, first, sizeof free_);
    --count_;
    return first;
  }

  char* free_ = nullptr;
  unsigned count_ = 0;
};

}  // namespace berth
