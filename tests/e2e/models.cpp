#include "models.hpp"

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace e2e {

bool can_have_io_uring() {
  io_uring_params parameters{};
  const long ring = ::syscall(SYS_io_uring_setup, 1, &parameters);
  if (ring < 0) return false;
  ::close(static_cast<int>(ring));
  return true;
}

}  // namespace e2e
