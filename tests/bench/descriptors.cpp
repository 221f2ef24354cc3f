#include "descriptors.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <limits>
#include <string>

#include "failure.hpp"

namespace berth::bench {

void require_descriptors(const Workload& workload, int workers) {
  const bool is_shared_out = workload.kind->kind == Kind::idle;
  const int connections =
      is_shared_out ? largest_share(workload.connections, workers) : workload.connections;
  const auto needed = static_cast<rlim_t>(kOtherDescriptors + connections);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= needed) return;
  const rlimit wanted{needed,
                      std::max(needed, limit.rlim_max)};  // beyond the hard limit: if it may
  if (setrlimit(RLIMIT_NOFILE, &wanted) == 0) return;
  throw Failure("so many connections take " + std::to_string(needed) +
                " descriptors in a process, and the hard limit is " +
                std::to_string(limit.rlim_max) +
                ": raise it (ulimit -Hn, LimitNOFILE=), run with CAP_SYS_RESOURCE" +
                (is_shared_out ? ", or take more --workers" : ""));
}

int most_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max()));
}

}  // namespace berth::bench
