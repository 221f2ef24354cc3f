#include "base/pages.hpp"

#include <link.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <span>

#include "base/fd.hpp"
#include "base/write_all.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace berth {

namespace {

// Of the program itself, whole pages as the dynamic linker seals them: what comes before the
// linker's own table, by which debuggers find the libraries, in core files too.
std::span<char> relocated_tables() {
  std::span<char> found;
  const auto look = [](dl_phdr_info* object, std::size_t, void* answer) {
    const auto whole = ~static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE) - 1);
    std::uintptr_t first = 0, end = 0, linkers_table = UINTPTR_MAX;
    for (const ElfW(Phdr) & part : std::span(object->dlpi_phdr, object->dlpi_phnum)) {
      const std::uintptr_t address = object->dlpi_addr + part.p_vaddr;
      if (part.p_type == PT_DYNAMIC) linkers_table = address;
      if (part.p_type != PT_GNU_RELRO) continue;
      first = address & whole;
      end = address + part.p_memsz;
    }
    end = std::min(end, linkers_table) & whole;
    auto* const start = reinterpret_cast<char*>(first);  // NOLINT(performance-no-int-to-ptr)
    if (first < end) *static_cast<std::span<char>*>(answer) = {start, end - first};
    return 1;  // the program comes first; no more
  };
  (void)::dl_iterate_phdr(look, &found);
  return found;
}

bool may_write(std::size_t size) {
  rlimit limit{};  // who writes more is killed by SIGXFSZ
  return ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur >= size;
}

}  // namespace

void map_relocations_from_file() noexcept {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return;  // which keep books of their own of these pages
#endif
  const std::span<char> tables = relocated_tables();
  if (tables.empty() || !may_write(tables.size())) return;
  const Fd file(::memfd_create("berth relocations", MFD_CLOEXEC));
  if (!file || write_all(file.get(), {tables.data(), tables.size()}) != 0) return;
  (void)::mmap(tables.data(), tables.size(), PROT_READ, MAP_PRIVATE | MAP_FIXED, file.get(), 0);
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
