#include "base/fd.hpp"

#include <fcntl.h>

#include <algorithm>

namespace berth {

void fill_standard_descriptors() {
  int number;
  do {
    number = ::open("/dev/null", O_RDWR);  // the lowest free one
  } while (number >= 0 && number <= 2);
  if (number > 2) ::close(number);
}

Fd duplicate(const Fd& fd) { return Fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); }

void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned next = 0;
  for (const int descriptor : kept) {
    const auto number = static_cast<unsigned>(descriptor);
    if (number > next) (void)::close_range(next, number - 1, 0);
    next = std::max(next, number + 1);
  }
  (void)::close_range(next, ~0u, 0);
}

}  // namespace berth
