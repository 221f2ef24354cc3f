// What the processes of a server use, read from /proc: the root and all of its descendants, the
// threads included. Functions on process ids, without state; a process that ends meanwhile is left
// out.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "base/clock.hpp"

namespace berth::bench {

// The root comes first.
std::vector<pid_t> process_tree(pid_t root);

// Processor time used so far by the tree: of living processes to the nanosecond, of children that
// ended and were waited for in the kernel's ticks of 10 ms. Children that the kernel reaps by
// itself (SIGCHLD ignored) are lost to every account, and missing here.
Duration cpu_time(pid_t root);

// The sum of the proportional set sizes: what is shared counts once.
std::uint64_t memory(pid_t root);

// The same, once the tree has come to rest, or after half a second: what a server does after
// its last reply belongs to the round of that reply.
Duration settled_cpu_time(pid_t root);

}  // namespace berth::bench
