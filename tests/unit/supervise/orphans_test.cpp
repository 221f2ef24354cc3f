#include "supervise/orphans.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "base/fd.hpp"

namespace berth {
namespace {

// In a process of its own, which adopts orphans as the supervisor does: the number of the check
// that failed, 0 where none did.
int in_a_supervisor(const std::function<int()>& checks) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::signal(SIGTERM, SIG_DFL);  // the test framework has a handler of its own
    ::_exit(checks());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// A worker that leads a group, leaves `sessions` processes in it that wait for a signal, and ends.
pid_t start_worker(int sessions) {
  const pid_t worker = ::fork();
  if (worker != 0) return worker;
  ::setpgid(0, 0);
  for (int i = 0; i < sessions; ++i) {
    if (::fork() != 0) continue;
    for (;;) ::pause();
  }
  ::_exit(0);
}

void reap(pid_t pid) { ::waitpid(pid, nullptr, 0); }

TEST_CASE("a worker without sessions leaves no orphans") {
  CHECK(in_a_supervisor([] {
          const pid_t worker = start_worker(0);
          reap(worker);
          Orphans orphans;
          orphans.add_group(worker);
          return orphans.any() ? 1 : 0;
        }) == 0);
}

TEST_CASE("a dead worker's sessions are known until the last of them is reaped") {
  CHECK(in_a_supervisor([] {
          const pid_t worker = start_worker(2);
          reap(worker);
          Orphans orphans;
          if (orphans.any()) return 1;
          orphans.add_group(worker);
          if (!orphans.any()) return 2;
          orphans.send_signal(SIGTERM);
          for (int left = 2; left > 0; --left) {
            int status = 0;
            if (!orphans.any()) return 3;
            if (::waitpid(-worker, &status, 0) < 0) return 4;
            if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM) return 5;
          }
          return orphans.any() ? 6 : 0;
        }) == 0);
}

TEST_CASE("a signal to the orphans meets every group, and nobody else") {
  CHECK(in_a_supervisor([] {
          const pid_t first = start_worker(1), second = start_worker(1), other = start_worker(1);
          for (const pid_t worker : {first, second, other}) reap(worker);
          Orphans orphans;
          orphans.add_group(first);
          orphans.add_group(second);
          orphans.send_signal(SIGKILL);
          if (::waitpid(-first, nullptr, 0) < 0 || ::waitpid(-second, nullptr, 0) < 0) return 1;
          if (orphans.any()) return 2;
          if (::waitpid(-other, nullptr, WNOHANG) != 0) return 3;
          ::kill(-other, SIGKILL);
          return ::waitpid(-other, nullptr, 0) > 0 ? 0 : 4;
        }) == 0);
}

}  // namespace
}  // namespace berth
