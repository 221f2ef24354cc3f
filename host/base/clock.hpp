// The one clock of timers and deadlines. Monotonic, so that a jump of the wall clock moves none.
#pragma once

#include <chrono>

namespace berth {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = std::chrono::nanoseconds;

constexpr TimePoint kNever = TimePoint::max();
// As a configured limit: none.
constexpr Duration kUnlimited = Duration::max();

// `start + length`, or kNever where that lies past what the clock can tell.
constexpr TimePoint after(TimePoint start, Duration length) {
  return length >= kNever - start ? kNever : start + length;
}

}  // namespace berth
