// How many datagrams to ask a socket for with one system call: for as many as there may be, or for
// one alone. Policy on values. To look for more than there are costs nearly as much as to take one,
// before the answer goes out; so where they come one by one, that is done now and then.
#pragma once

namespace berth {

class BatchSize {
 public:
  explicit BatchSize(unsigned most) : most_(most) {}

  [[nodiscard]] unsigned next() const { return alone_ > 0 ? 1 : most_; }
  // So many have come where so many were asked for, which may be fewer than next().
  void on_taken(unsigned asked, unsigned count) {
    if (alone_ > 0) {
      --alone_;
    } else if (count == 1 && asked > 1) {
      alone_ = kAlone;
    }
  }

 private:
  static constexpr unsigned kAlone = 4;

  unsigned most_;
  unsigned alone_ = 0;  // so many are still to be taken one by one
};

}  // namespace berth
