#include "serve/provided_buffers.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace berth {

namespace {

// Of Linux 6.12; liburing 2.3 does not know them yet.
constexpr unsigned kFillBitByBit = 2;             // IOU_PBUF_RING_INC
constexpr std::uint32_t kStillFilling = 1u << 4;  // IORING_CQE_F_BUF_MORE

}  // namespace

// In memory at once: it is all used in turn, and its first use would cost some connection a fault.
ProvidedBuffers::ProvidedBuffers(io_uring& ring) : ring_(ring) {
  void* const memory = ::mmap(nullptr, kMapped, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  memory_ = static_cast<char*>(memory);
  queue_ = reinterpret_cast<io_uring_buf_ring*>(memory_ + kCount * kSize);
  int failure = provide(kFillBitByBit);
  if (failure == -EINVAL) {
    bit_by_bit_ = false;
    failure = provide(0);
  }
  if (failure < 0) {
    ::munmap(memory_, kMapped);
    throw std::system_error(-failure, std::generic_category(), "cannot provide buffers");
  }
  io_uring_buf_ring_init(queue_);
  for (unsigned number = 0; number < kCount; ++number) give_to_kernel(number);
}

ProvidedBuffers::~ProvidedBuffers() {
  (void)io_uring_unregister_buf_ring(&ring_, kGroup);
  ::munmap(memory_, kMapped);
}

int ProvidedBuffers::provide(unsigned flags) {
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(queue_);
  registration.ring_entries = kCount;
  registration.bgid = kGroup;
  // The member behind bgid: its name was `pad`, and is `flags` in headers since Linux 6.4.
  const auto value = static_cast<std::uint16_t>(flags);
  std::memcpy(&registration.bgid + 1, &value, sizeof value);
  return io_uring_register_buf_ring(&ring_, &registration, 0);
}

void ProvidedBuffers::give_to_kernel(unsigned number) noexcept {
  buffers_[number] = {};
  ++kernel_has_;
  io_uring_buf_ring_add(queue_, memory_ + number * kSize, kSize, static_cast<std::uint16_t>(number),
                        io_uring_buf_ring_mask(kCount), 0);
  io_uring_buf_ring_advance(queue_, 1);
}

Lent ProvidedBuffers::lend(std::uint32_t completion_flags, std::size_t size) {
  const unsigned number = completion_flags >> IORING_CQE_BUFFER_SHIFT;
  Buffer& buffer = buffers_[number];
  char* const data = memory_ + number * kSize + buffer.filled;
  buffer.filled += size;
  if (!bit_by_bit_ || (completion_flags & kStillFilling) == 0) {
    buffer.with_kernel = false;
    --kernel_has_;
  }
  ++buffer.lent;
  Lent part(data, {this});
  if (kernel_has_ >= kFew) return part;
  Lent copy(new char[size], {this});
  std::memcpy(copy.get(), data, size);
  return copy;
}

void ProvidedBuffers::take_back(char* buffer) noexcept {
  const auto offset = static_cast<std::size_t>(buffer - memory_);
  if (buffer < memory_ || offset >= kCount * kSize) {
    delete[] buffer;  // a copy
  } else {
    let_go(static_cast<unsigned>(offset / kSize));
  }
}

void ProvidedBuffers::let_go(unsigned number) noexcept {
  Buffer& buffer = buffers_[number];
  if (--buffer.lent == 0 && !buffer.with_kernel) give_to_kernel(number);
}

}  // namespace berth
