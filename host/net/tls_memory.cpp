#include "net/tls_memory.hpp"

#include <malloc.h>
#include <openssl/crypto.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>

namespace berth {

namespace {

// Room for a record of either direction, whatever its version and its padding: all get the most.
constexpr std::size_t kLeast = 16 * 1024, kMost = 18 * 1024;

// Free ones, for all threads: each slot is taken and filled by one exchange. An event loop needs
// two.
std::array<std::atomic<void*>, 8> kept;

void* allocate(std::size_t size, const char*, int) {
  if (size == 0) return nullptr;
  if (size < kLeast || size > kMost) return std::malloc(size);
  for (auto& slot : kept) {
    if (slot.load(std::memory_order_relaxed) == nullptr) continue;
    if (void* const block = slot.exchange(nullptr)) return block;
  }
  return std::malloc(kMost);
}

bool keep(void* block) {
  for (auto& slot : kept) {
    void* empty = slot.load(std::memory_order_relaxed);
    if (empty == nullptr && slot.compare_exchange_strong(empty, block)) return true;
  }
  return false;
}

void release(void* block, const char*, int) {
  const std::size_t size = ::malloc_usable_size(block);
  // One a little larger does as well.
  const bool has_room = size >= kMost && size <= kMost + 64;
  if (!has_room || !keep(block)) std::free(block);
}

void* reallocate(void* block, std::size_t size, const char* file, int line) {
  if (size > 0) return std::realloc(block, size);
  release(block, file, line);
  return nullptr;
}

}  // namespace

bool keep_room_for_records() {
  static const bool kept_from_now_on = CRYPTO_set_mem_functions(allocate, reallocate, release) == 1;
  return kept_from_now_on;
}

}  // namespace berth
