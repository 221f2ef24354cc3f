#include "base/pages.hpp"

#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace berth {

void* map_pages(std::size_t size, AfterFork after_fork) noexcept {
  const int sharing = after_fork == AfterFork::shared ? MAP_SHARED : MAP_PRIVATE;
  void* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  // Where that cannot be, copies are made.
  if (after_fork == AfterFork::absent) (void)::madvise(memory, size, MADV_DONTFORK);
#ifdef __SANITIZE_ADDRESS__
  __lsan_register_root_region(memory, size);  // what only this points to has not leaked
#endif
  return memory;
}

void unmap_pages(void* memory, std::size_t size) noexcept {
#ifdef __SANITIZE_ADDRESS__
  __lsan_unregister_root_region(memory, size);
#endif
  ::munmap(memory, size);
}

}  // namespace berth
