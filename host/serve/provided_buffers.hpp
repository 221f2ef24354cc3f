// The buffers that an io_uring receives into: the kernel chooses one when data has come, so that no
// connection holds one while it waits. Used on the ring's thread; the ring outlives it.
//
// Where the kernel can (Linux 6.12), a buffer is filled bit by bit, by one connection after the
// other, and only then comes back: so buffers may be large, as bulk wants them, and small messages
// use little memory. A handler may keep what it has read for as long as it likes; so that this
// never leaves others without buffers, data is lent as a copy once few are left.
#pragma once

#include <liburing.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "serve/buffer_pool.hpp"

namespace berth {

class ProvidedBuffers final : public Lender {
 public:
  static constexpr int kGroup = 0;  // the number under which requests name them

  // Throws std::system_error where the kernel does not take them.
  explicit ProvidedBuffers(io_uring& ring);
  ProvidedBuffers(const ProvidedBuffers&) = delete;
  ProvidedBuffers& operator=(const ProvidedBuffers&) = delete;
  ~ProvidedBuffers();

  // What a completion with these flags has received, `size` bytes of it. Throws std::bad_alloc, and
  // the bytes are lost then.
  [[nodiscard]] Lent lend(std::uint32_t completion_flags, std::size_t size);
  void take_back(char* buffer) noexcept override;

 private:
  struct Buffer {
    std::size_t filled = 0;   // bytes that the kernel has filled since it was given the buffer
    unsigned lent = 0;        // parts of it that are lent
    bool with_kernel = true;  // the kernel may still fill it
  };
  [[nodiscard]] int provide(unsigned flags);
  void give_to_kernel(unsigned number) noexcept;
  void let_go(unsigned number) noexcept;

  static constexpr unsigned kCount = 16;  // a power of two
  static constexpr unsigned kFew = 4;
  static constexpr std::size_t kSize = 256 * 1024;
  static constexpr std::size_t kMapped = kCount * (kSize + sizeof(io_uring_buf));

  io_uring& ring_;
  bool bit_by_bit_ = true;
  unsigned kernel_has_ = 0;
  std::array<Buffer, kCount> buffers_{};
  char* memory_ = nullptr;              // the buffers, and behind them
  io_uring_buf_ring* queue_ = nullptr;  // those given to the kernel; shared with it
};

}  // namespace berth
