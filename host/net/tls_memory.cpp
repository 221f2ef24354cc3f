#include "net/tls_memory.hpp"

#include <malloc.h>
#include <openssl/crypto.h>

#include <array>
#include <cstddef>
#include <cstdlib>

namespace berth {

namespace {

// Room for a record of either direction, whatever its version and its padding: all get the most.
constexpr std::size_t kLeast = 16 * 1024, kMost = 18 * 1024;

struct Kept {
  ~Kept() {
    while (count > 0) std::free(blocks[--count]);
    is_over = true;  // OpenSSL may free what is its own at the end of a thread only later
  }
  std::array<void*, 2> blocks{};
  std::size_t count = 0;
  bool is_over = false;
};
thread_local Kept kept;

void* allocate(std::size_t size, const char*, int) {
  if (size == 0) return nullptr;
  if (size < kLeast || size > kMost) return std::malloc(size);
  return kept.count > 0 ? kept.blocks[--kept.count] : std::malloc(kMost);
}

void release(void* block, const char*, int) {
  if (block == nullptr) return;
  const std::size_t size = ::malloc_usable_size(block);
  // One a little larger does as well.
  const bool has_room = size >= kMost && size <= kMost + 64;
  if (!has_room || kept.is_over || kept.count == kept.blocks.size()) return std::free(block);
  kept.blocks[kept.count++] = block;
}

void* reallocate(void* block, std::size_t size, const char* file, int line) {
  if (size > 0) return std::realloc(block, size);
  release(block, file, line);
  return nullptr;
}

}  // namespace

bool keep_room_for_records() {
  return CRYPTO_set_mem_functions(allocate, reallocate, release) == 1;
}

}  // namespace berth
