// When the next connection may be accepted under a rate. Policy on values (the generic cell rate
// algorithm, as networks police their cells): connections are due one `interval` apart, and may
// come before that as long as `burst` of them lie within what a pause has saved up. So in any
// stretch of time there are at most `burst` more than the rate allows.
#pragma once

#include <algorithm>

#include "base/clock.hpp"

namespace berth {

class RateGate {
 public:
  // No limit.
  RateGate() = default;
  RateGate(Duration interval, unsigned burst)
      : interval_(interval), saved_(saved(interval, burst)) {}

  // The first moment at which one more may come; past where there is no limit.
  [[nodiscard]] TimePoint next() const { return due_ - saved_; }
  // How many may come now, at most so many.
  [[nodiscard]] unsigned room(TimePoint now, unsigned most) const {
    if (interval_ == Duration::zero()) return most;
    RateGate then = *this;
    unsigned count = 0;
    for (; count < most && then.next() <= now; ++count) then.count(now);
    return count;
  }
  // One has come.
  void count(TimePoint now) {
    if (interval_ != Duration::zero()) due_ = std::max(due_, now) + interval_;
  }

 private:
  static Duration saved(Duration interval, unsigned burst) {
    constexpr Duration kMost = kUnlimited / 4;  // far from where the clock ends
    const bool too_long = interval > Duration::zero() && burst - 1 > kMost / interval;
    return too_long ? kMost : interval * (burst - 1);
  }

  Duration interval_{0};
  Duration saved_{0};
  TimePoint due_{};  // when the next would come if all came evenly: the clock's beginning
};

}  // namespace berth
