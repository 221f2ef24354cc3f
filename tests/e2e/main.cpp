// The end-to-end tests: boots the real host and talks to it over real sockets.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  // Whatever a host leaves behind becomes a child of this process: see processes.hpp.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;  // some tests hold hundreds of connections
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return doctest::Context(argc, argv).run();
}
