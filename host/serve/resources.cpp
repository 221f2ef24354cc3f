#include "serve/resources.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace berth {

namespace {

// `spare` lies between the limit that can be noticed and the one that cannot be passed.
void lower_limit(__rlimit_resource_t resource, rlim_t to, rlim_t spare = 0) {
  if (to == 0) return;
  rlimit limit{};
  (void)::getrlimit(resource, &limit);
  limit.rlim_cur = std::min(to, limit.rlim_max);
  limit.rlim_max = std::min(to + spare, limit.rlim_max);
  (void)::setrlimit(resource, &limit);
}

}  // namespace

[[gnu::hot]] void limit_resources(const ResourceLimits& limits) {
  // What a process may write to of its own, and not its address space: there allocators and stacks
  // only reserve, and libraries are shared.
  lower_limit(RLIMIT_DATA, limits.memory);
  // SIGXCPU tells who it was (crash_note.hpp); whoever outlives that is killed a second later.
  lower_limit(RLIMIT_CPU, static_cast<rlim_t>(limits.cpu_time.count()), 1);
  lower_limit(RLIMIT_NOFILE, limits.descriptors);
}

}  // namespace berth
