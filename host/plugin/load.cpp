#include "plugin/load.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <set>
#include <string>
#include <string_view>

#include "base/privileges.hpp"
#include "base/source.hpp"
#include "plugin/options.hpp"
#include "plugin/safe_path.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

using FileHeader = ElfW(Ehdr);
// What a plugin of version 1.0 has; what is appended later comes with a larger size.
constexpr std::size_t kPluginSize = offsetof(berth_plugin, serve) + sizeof(berth_plugin::serve);
constexpr std::size_t kOptionSize =
    offsetof(berth_option, choice_count) + sizeof(berth_option::choice_count);

using ProgramHeader = ElfW(Phdr);

// Reads a T at an offset of the file; false where the file is too short.
template <class T>
bool read_at(int file, std::size_t offset, T& into) {
  return ::pread(file, &into, sizeof into, static_cast<off_t>(offset)) ==
         static_cast<ssize_t>(sizeof into);
}

// Whether everything that would be mapped is there: a page past the end of the file is SIGBUS.
bool is_whole(int file, const FileHeader& header, std::size_t size) {
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    ProgramHeader part;
    if (!read_at(file, header.e_phoff + i * sizeof part, part)) return false;
    if (part.p_type != PT_LOAD) continue;
    if (part.p_offset > size || part.p_filesz > size - part.p_offset) return false;
  }
  // Nothing maps the table of sections, but it is the last thing that a linker writes: where it is
  // not whole the file was cut, be it by a few bytes only.
  const std::size_t sections = std::size_t{header.e_shnum} * header.e_shentsize;
  return header.e_shoff <= size && sections <= size - header.e_shoff;
}

bool has_all_texts(const berth_option& option) {
  if (option.name == nullptr || option.help == nullptr) return false;
  if (option.required == 0 && option.default_value == nullptr) return false;
  if (option.choice_count == 0) return option.type != BERTH_CHOICE;
  if (option.choices == nullptr) return false;
  const char* const* const end = option.choices + option.choice_count;
  return std::find(option.choices, end, nullptr) == end;
}

std::string abi_version(std::uint32_t abi_major, std::uint32_t abi_minor) {
  return std::to_string(abi_major) + "." + std::to_string(abi_minor);
}

// What the file looks like, without running anything of it.
Result<void> vet_content(const Fd& fd, const fs::path& file) {
  struct stat status {};
  if (::fstat(fd.get(), &status) < 0) return system_error("cannot look at " + file.string(), errno);
  if (!S_ISREG(status.st_mode)) return Error{file.string() + " is not a regular file"};

  FileHeader header;
  FileHeader own;
  const Fd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  if (!read_at(fd.get(), 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_type != ET_DYN) {
    return Error{file.string() + " is not a shared object (build it with -shared -fPIC)"};
  }
  if (read_at(self.get(), 0, own) &&
      (header.e_machine != own.e_machine || header.e_ident[EI_CLASS] != own.e_ident[EI_CLASS])) {
    return Error{file.string() + " was built for another kind of processor"};
  }
  if (header.e_phentsize != sizeof(ProgramHeader) ||
      !is_whole(fd.get(), header, static_cast<std::size_t>(status.st_size))) {
    return Error{file.string() + " is cut short or damaged (build or copy it again)"};
  }
  return {};
}

Result<Fd> open_vetted(const fs::path& file) {
  Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return system_error("cannot open " + file.string(), errno);
  if (auto vetted = vet_content(fd, file); !vetted) return vetted.error();
  return fd;
}

// The name by which this process opens the file. Its own, where that can be; a plugin then finds
// what lies beside it ($ORIGIN), and debuggers find the plugin. In a folder that is closed to this
// user (/root, say) the open descriptor leads to it.
fs::path name_to_load(const fs::path& file, const Fd& opened) {
  fs::path path = fs::absolute(file);
  if (::eaccess(path.c_str(), R_OK) == 0) return path;
  return "/proc/self/fd/" + std::to_string(opened.get());
}

Error cannot_load(const fs::path& file, const fs::path& name, std::string why) {
  const std::string own_name = fs::absolute(file).string();
  if (const auto at = why.find(name.string()); at != std::string::npos) {
    why.replace(at, name.string().size(), own_name);
  } else {  // it is about a library that this one needs
    why.insert(0, own_name + ": ");
  }
  Error error{"cannot load " + why};
  if (::eaccess(name.c_str(), R_OK) != 0 && errno == EACCES) {
    error.message +=
        " (user " + std::to_string(::geteuid()) + " may not read it: chmod a+r " + own_name + ")";
  }
  return error;
}

}  // namespace

Result<void> vet_file(const fs::path& file) {
  if (auto opened = open_vetted(file); !opened) return opened.error();
  return {};
}

Result<Fd> open_plugin(const fs::path& file) {
  auto opened = open_vetted(file);
  if (!opened || !is_root_among_others()) return opened;
  const auto hazard = hazard_of(file);
  if (hazard && !hazard->of_program_too) return Error{hazard->message};
  return opened;
}

Result<void> check_abi(const berth_plugin* plugin) {
  if (plugin == nullptr) {
    return Error{"its " BERTH_ENTRY_SYMBOL "() returns no table: its description failed"};
  }
  if (plugin->magic != BERTH_ABI_MAGIC) {
    return Error{"what " BERTH_ENTRY_SYMBOL "() returns is not a handler's table (wrong magic)"};
  }
  if (plugin->abi_major != BERTH_ABI_MAJOR || plugin->abi_minor > BERTH_ABI_MINOR) {
    return Error{"it was built for version " + abi_version(plugin->abi_major, plugin->abi_minor) +
                 " of the ABI and this host serves " +
                 abi_version(BERTH_ABI_MAJOR, BERTH_ABI_MINOR) +
                 " (build it again with this host's SDK)"};
  }
  if (plugin->size < kPluginSize || plugin->option_size < kOptionSize) {
    return Error{"its table is " + std::to_string(plugin->size) + " bytes long, too short for " +
                 "version " + abi_version(plugin->abi_major, plugin->abi_minor) + " of the ABI"};
  }
  if (plugin->create == nullptr || plugin->destroy == nullptr || plugin->serve == nullptr ||
      plugin->name == nullptr || plugin->summary == nullptr ||
      (plugin->options == nullptr && plugin->option_count > 0)) {
    return Error{"its table lacks name, summary, create, destroy, serve or options"};
  }
  // Whole multiples alone put each row where a berth_option may lie.
  if (plugin->option_size % alignof(berth_option) != 0) {
    return Error{"its options are " + std::to_string(plugin->option_size) + " bytes long, not a " +
                 "multiple of " + std::to_string(alignof(berth_option))};
  }
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < plugin->option_count; ++i) {
    const berth_option& option = option_row(*plugin, i);
    if (!has_all_texts(option)) {
      return Error{"row " + std::to_string(i) +
                   " of its options lacks name, help, default or a choice"};
    }
    if (!names.insert(option.name).second) {
      return Error{"it has two options called " + in_quotes(option.name)};
    }
  }
  return {};
}

Result<const berth_plugin*> load_plugin(const fs::path& file) {
  const auto opened = open_plugin(file);
  if (!opened) return opened.error();
  return load_plugin(file, opened.value());
}

Result<const berth_plugin*> load_plugin(const fs::path& file, const Fd& opened) {
  const fs::path name = name_to_load(file, opened);
  // RTLD_NOW: a symbol that is missing is told here and not in the middle of a session.
  void* const library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return cannot_load(file, name, ::dlerror());
  void* const symbol = ::dlsym(library, BERTH_ENTRY_SYMBOL);
  if (symbol == nullptr) {
    return Error{file.string() + " is not a handler: it exports no " BERTH_ENTRY_SYMBOL
                                 "() (BERTH_HANDLER(...) at the end of its source makes one)"};
  }
  const berth_plugin* const plugin = reinterpret_cast<berth_entry_function*>(symbol)();
  if (auto fits = check_abi(plugin); !fits) {
    return Error{file.string() + " cannot be used: " + fits.error().message};
  }
  return plugin;
}

}  // namespace berth
