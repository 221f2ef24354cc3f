// A file descriptor with one owner. Every descriptor of the host lives in one of these, and every
// one is made close-on-exec by whoever opens it.
#pragma once

#include <unistd.h>

#include <utility>
#include <vector>

namespace berth {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  // The caller owns the number from here on.
  [[nodiscard]] int release() { return std::exchange(number_, -1); }
  // close(2) is not tried again on EINTR: Linux has freed the number by then (man 2 close).
  void reset(int number = -1) {
    if (number_ >= 0) ::close(number_);
    number_ = number;
  }

 private:
  int number_ = -1;
};

// Another descriptor for the same thing, close-on-exec; none, with errno set, where there are no
// descriptors left.
[[nodiscard]] Fd duplicate(const Fd& fd);

// Opens /dev/null for those of 0, 1 and 2 that are closed, so that no socket gets such a number and
// is taken for standard error. For the start of the program.
void fill_standard_descriptors();

// Closes every descriptor of the process but these. For a process just forked, before it holds
// anything that others have opened.
void close_all_but(std::vector<int> kept);

}  // namespace berth
