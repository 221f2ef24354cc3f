// Fuzz target: plugin/load's vet_file(). The input is a file that is named as a plugin. It is
// looked at and never loaded.
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "input.hpp"
#include "plugin/load.hpp"
#include "require.hpp"

namespace berth::fuzz {
namespace {

// One file for all inputs, in memory, with a name to open it by.
class File {
 public:
  File()
      : fd_(::memfd_create("plugin", MFD_CLOEXEC)),
        path_("/proc/self/fd/" + std::to_string(fd_.get())) {
    require(::fchmod(fd_.get(), 0700) == 0, "a file can be made in memory");
  }

  const std::string& holding(std::string_view bytes) {
    const auto size = static_cast<ssize_t>(bytes.size());
    require(::ftruncate(fd_.get(), 0) == 0 &&
                ::pwrite(fd_.get(), bytes.data(), bytes.size(), 0) == size,
            "a file in memory can be written");
    return path_;
  }

 private:
  Fd fd_;
  std::string path_;
};

// Copied, as nothing in a file need be aligned. False where the file is too short.
template <class T>
bool copy_at(std::string_view bytes, std::size_t offset, T& into) {
  if (offset > bytes.size() || sizeof into > bytes.size() - offset) return false;
  std::memcpy(&into, bytes.data() + offset, sizeof into);
  return true;
}

bool holds(std::string_view bytes, unsigned __int128 offset, unsigned __int128 size) {
  return offset + size <= bytes.size();
}

// What dlopen() will map is there.
void check_taken(std::string_view bytes) {
  ElfW(Ehdr) header;
  require(copy_at(bytes, 0, header), "what is taken has a header", bytes);
  require(bytes.starts_with(ELFMAG) && header.e_type == ET_DYN, "what is taken is a shared object",
          bytes);
  require(header.e_ident[EI_CLASS] == (sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32),
          "what is taken is for this machine", bytes);
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    ElfW(Phdr) part;
    require(copy_at(bytes, header.e_phoff + i * sizeof part, part), "its parts are listed", bytes);
    require(part.p_type != PT_LOAD || holds(bytes, part.p_offset, part.p_filesz),
            "what would be mapped is there", bytes);
  }
  const std::size_t sections = std::size_t{header.e_shnum} * header.e_shentsize;
  require(holds(bytes, header.e_shoff, sections), "its sections are there", bytes);
}

}  // namespace
}  // namespace berth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  static fuzz::File file;
  const std::string_view bytes = fuzz::text_of(data, size);
  const std::string& path = file.holding(bytes);
  const auto vetted = vet_file(path);
  if (vetted) {
    fuzz::check_taken(bytes);
  } else {
    fuzz::require(vetted.error().message.starts_with(path), "a refusal names the file",
                  vetted.error().message);
  }
  return 0;
}
