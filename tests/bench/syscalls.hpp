// Counts the system calls of a server, its children and threads, with strace where that is
// installed. It slows what it watches many times over: nothing else is measured meanwhile.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "child.hpp"

namespace berth::bench {

using Syscalls = std::map<std::string, std::uint64_t>;

// "recvfrom 1.00, sendto 1.00": the calls per message, the most frequent first; rare ones are left
// out.
std::string describe(const Syscalls& calls, std::uint64_t messages);

class SyscallCounter {
 public:
  // Returns when every thread of the tree is watched; throws Failure if that does not come about.
  // `cores` are where strace runs.
  SyscallCounter(pid_t root, const std::vector<int>& cores);
  ~SyscallCounter();
  SyscallCounter(const SyscallCounter&) = delete;
  SyscallCounter& operator=(const SyscallCounter&) = delete;

  // Ends the watch.
  Syscalls finish();

 private:
  Output output_;
  pid_t tracer_ = -1;
};

}  // namespace berth::bench
