#include "base/file_identity.hpp"

#include <sys/stat.h>

namespace berth {

FileIdentity identity_of(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return {};
  // The time of the status change: whoever sets the time of writing back cannot set this one.
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = status.st_size,
          .changed_seconds = status.st_ctim.tv_sec,
          .changed_nanoseconds = status.st_ctim.tv_nsec};
}

}  // namespace berth
