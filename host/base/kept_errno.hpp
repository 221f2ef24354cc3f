// For signal handlers, which may come between a system call and whoever looks at its errno.
#pragma once

#include <cerrno>

namespace berth {

class KeptErrno {
 public:
  KeptErrno() = default;
  KeptErrno(const KeptErrno&) = delete;
  KeptErrno& operator=(const KeptErrno&) = delete;
  ~KeptErrno() { errno = kept_; }

 private:
  int kept_ = errno;
};

}  // namespace berth
