#include "test_program.hpp"

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>

#include "models.hpp"

namespace e2e {

int run_test_program(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  // Whatever a host leaves behind becomes a child of this process: see processes.hpp.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;  // some tests hold hundreds of connections
  ::setrlimit(RLIMIT_NOFILE, &limit);
  doctest::Context context(argc, argv);
  if (!can_have_io_uring()) {
    std::fputs("io_uring is forbidden here: its cases are left out\n", stderr);
    context.addFilter("test-case-exclude", "*<io_uring>*");
  }
  return context.run();
}

}  // namespace e2e
