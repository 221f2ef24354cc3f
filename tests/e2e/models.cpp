#include "models.hpp"

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace e2e {

// Asked in a process of its own: the end of a ring interrupts the system calls of who had it.
bool can_have_io_uring() {
  const pid_t child = ::fork();
  if (child == 0) {
    io_uring_params parameters{};
    ::_exit(::syscall(SYS_io_uring_setup, 1, &parameters) < 0 ? 1 : 0);
  }
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace e2e
