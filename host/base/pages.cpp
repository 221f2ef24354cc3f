#include "base/pages.hpp"

#include <sys/mman.h>

#include <new>

namespace berth {

void* map_pages(std::size_t size, AfterFork after_fork) {
  const int sharing = after_fork == AfterFork::shared ? MAP_SHARED : MAP_PRIVATE;
  void* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  // Where that cannot be, copies are made.
  if (after_fork == AfterFork::absent) (void)::madvise(memory, size, MADV_DONTFORK);
  return memory;
}

void unmap_pages(void* memory, std::size_t size) noexcept { ::munmap(memory, size); }

}  // namespace berth
