// Some numbers in a file that is mapped by this process and by those it starts: to tell a preloaded
// library something, or to hear of it, while a host runs.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "temp_folder.hpp"

namespace e2e {

class SharedFile {
 public:
  static constexpr std::size_t kNumbers = 8;

  SharedFile() {
    write_file(path(), std::string(kNumbers * sizeof(std::int64_t), '\0'));
    const int file = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
    void* const memory = ::mmap(nullptr, kNumbers * sizeof(std::int64_t), PROT_READ | PROT_WRITE,
                                MAP_SHARED, file, 0);
    ::close(file);
    if (memory == MAP_FAILED) throw std::runtime_error("cannot map " + path());
    numbers_ = static_cast<std::int64_t*>(memory);
  }
  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;
  ~SharedFile() { ::munmap(const_cast<std::int64_t*>(numbers_), kNumbers * sizeof(std::int64_t)); }

  [[nodiscard]] std::string path() const { return folder_ / "shared"; }
  volatile std::int64_t& operator[](std::size_t index) { return numbers_[index]; }

 private:
  TempFolder folder_;
  volatile std::int64_t* numbers_ = nullptr;
};

}  // namespace e2e
