// Whether a file is the one that it was: which file a path names, and when it was last written.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>

namespace berth {

struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = -1;  // there is no such file
  std::int64_t changed_seconds = 0;
  std::int64_t changed_nanoseconds = 0;

  bool operator==(const FileIdentity&) const = default;
};

// Follows symbolic links. Never fails: a file that cannot be looked at is none.
[[nodiscard]] FileIdentity identity_of(const std::filesystem::path& file);

}  // namespace berth
