#include "base/pages.hpp"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <span>

#include "base/fd.hpp"
#include "base/write_all.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace berth {

namespace {

// Of the program itself, whole pages, as the dynamic linker seals them.
std::span<char> sealed_pages() {
  std::span<char> found;
  const auto look = [](dl_phdr_info* object, std::size_t, void* answer) {
    const std::uintptr_t page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    for (const ElfW(Phdr) & part : std::span(object->dlpi_phdr, object->dlpi_phnum)) {
      if (part.p_type != PT_GNU_RELRO) continue;
      const std::uintptr_t start = object->dlpi_addr + part.p_vaddr;
      const std::uintptr_t first = start & ~(page - 1), end = (start + part.p_memsz) & ~(page - 1);
      *static_cast<std::span<char>*>(answer) = {reinterpret_cast<char*>(first), end - first};
    }
    return 1;  // the program comes first; no more
  };
  (void)::dl_iterate_phdr(look, &found);
  return found;
}

}  // namespace

void map_relocations_from_file() noexcept {
  const std::span<char> pages = sealed_pages();
  const Fd file(::memfd_create("berth relocations", MFD_CLOEXEC));
  if (pages.empty() || !file) return;
  if (write_all(file.get(), {pages.data(), pages.size()}) != 0) return;
  (void)::mmap(pages.data(), pages.size(), PROT_READ, MAP_PRIVATE | MAP_FIXED, file.get(), 0);
}

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
