#include "serve/resources.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace berth {
namespace {

rlimit limit_of(__rlimit_resource_t resource) {
  rlimit limit{};
  REQUIRE(::getrlimit(resource, &limit) == 0);
  return limit;
}

bool same(const rlimit& a, const rlimit& b) {
  return a.rlim_cur == b.rlim_cur && a.rlim_max == b.rlim_max;
}

// Whether it holds in a process of its own, whose limits may be lowered.
bool holds_in_child(const std::function<bool()>& check) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_CASE("resources are limited to what is said, for good") {
  CHECK(holds_in_child([] {
    limit_resources({.memory = 1 << 28, .cpu_time = std::chrono::seconds(100), .descriptors = 50});
    return same(limit_of(RLIMIT_DATA), {1 << 28, 1 << 28}) &&
           same(limit_of(RLIMIT_CPU), {100, 101}) && same(limit_of(RLIMIT_NOFILE), {50, 50});
  }));
}

TEST_CASE("what is not limited stays as it was") {
  const rlimit before[] = {limit_of(RLIMIT_DATA), limit_of(RLIMIT_CPU), limit_of(RLIMIT_NOFILE)};
  CHECK(holds_in_child([&] {
    limit_resources({});
    return same(limit_of(RLIMIT_DATA), before[0]) && same(limit_of(RLIMIT_CPU), before[1]) &&
           same(limit_of(RLIMIT_NOFILE), before[2]);
  }));
}

TEST_CASE("no limit is raised above what the system allows") {
  CHECK(holds_in_child([] {
    const rlimit low{40, 60};
    if (::setrlimit(RLIMIT_NOFILE, &low) != 0) return false;
    limit_resources({.descriptors = 1000});
    return same(limit_of(RLIMIT_NOFILE), {60, 60});
  }));
}

}  // namespace
}  // namespace berth
