// How many descriptors a process may have open, this one and the servers that it starts.
#pragma once

#include "workload.hpp"

namespace berth::bench {

// What a process has open beside its connections, at most.
constexpr int kOtherDescriptors = 512;

// Raises the limit as far as the work takes it: that of idle connections is shared out, among the
// server's processes and among the load's. What the limit allows beyond that is not asked for: some
// servers close every descriptor that they could have. Throws Failure where there are too few.
void require_descriptors(const Workload& workload, int workers);

// As many as there may be now.
[[nodiscard]] int most_descriptors();

}  // namespace berth::bench
