#include "supervise/config_files.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/write_all.hpp"

namespace berth {

namespace {

constexpr std::size_t kLongestFile = std::size_t{256} << 20;

// All of a memfd, to be read in place.
class Mapped {
 public:
  Mapped(int memory, std::size_t size)
      : memory_(::mmap(nullptr, size, PROT_READ, MAP_SHARED, memory, 0)), size_(size) {}
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  ~Mapped() {
    if (*this) ::munmap(memory_, size_);
  }
  explicit operator bool() const { return memory_ != MAP_FAILED; }
  [[nodiscard]] std::string_view text() const { return {static_cast<char*>(memory_), size_}; }

 private:
  void* memory_;
  std::size_t size_;
};

// Up to the next NUL, which is dropped.
std::optional<std::string_view> take_word(std::string_view& rest) {
  const auto end = rest.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return word;
}

// PATH, NUL, LENGTH, NUL, TEXT, one after the other.
std::optional<ConfigFiles> files_in(std::string_view rest) {
  ConfigFiles files;
  while (!rest.empty()) {
    const auto path = take_word(rest);
    const auto digits = path ? take_word(rest) : std::nullopt;
    std::size_t length = 0;
    if (!digits) return std::nullopt;
    const auto read = std::from_chars(digits->data(), digits->data() + digits->size(), length);
    const bool is_number = read.ec == std::errc{} && read.ptr == digits->data() + digits->size();
    if (!is_number || length > rest.size()) return std::nullopt;
    files[std::filesystem::path(*path)] = Secret(rest.substr(0, length));
    rest.remove_prefix(length);
  }
  return files;
}

}  // namespace

Result<Fd> make_place_for_files() {
  Fd memory(::memfd_create("berth files", MFD_CLOEXEC));
  if (!memory) return system_error("cannot make a place for files", errno);
  return memory;
}

Result<void> write_files(const ConfigFiles& files, int memory) {
  if (::ftruncate(memory, 0) != 0 || ::lseek(memory, 0, SEEK_SET) != 0) {
    return system_error("cannot pass files on", errno);
  }
  for (const auto& [path, secret] : files) {
    const std::string head = path.string() + '\0' + std::to_string(secret.text().size()) + '\0';
    int error = write_all(memory, head);
    if (error == 0) error = write_all(memory, secret.text());
    if (error != 0) return system_error("cannot pass files on", error);
  }
  return {};
}

Result<ConfigFiles> read_files(int memory) {
  struct stat status {};
  if (::fstat(memory, &status) != 0) return system_error("no files were passed on", errno);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return ConfigFiles();
  if (!S_ISREG(status.st_mode) || size > kLongestFile) {
    return Error{"what was passed on are not the files of a config"};
  }
  const Mapped mapped(memory, size);
  if (!mapped) return system_error("cannot read the files that were passed on", errno);
  auto files = files_in(mapped.text());
  if (!files) return Error{"what was passed on are not the files of a config"};
  return std::move(*files);
}

}  // namespace berth
