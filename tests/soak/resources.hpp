// What a host and all of its processes hold, to be compared with what they held before.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace soak {

struct Resources {
  std::uint64_t processes = 0;  // zombies count as well
  std::uint64_t threads = 0;
  std::uint64_t descriptors = 0;
  std::uint64_t memory_kib = 0;  // anonymous memory that belongs to no other process too

  // But for the memory, of which allocators keep some.
  [[nodiscard]] bool holds_as_much_as(const Resources& other) const {
    return processes == other.processes && threads == other.threads &&
           descriptors == other.descriptors;
  }
  // "2 processes, 2 threads, 21 descriptors, 1824 KiB"
  [[nodiscard]] std::string text() const;
};

// Of the process and all its descendants.
[[nodiscard]] Resources resources_of(pid_t root);

}  // namespace soak
