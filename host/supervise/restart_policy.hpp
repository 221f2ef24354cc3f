// When a worker that died is started again. Policy on values: no clock of its own, no system call.
#pragma once

#include <deque>
#include <optional>

#include "base/clock.hpp"

namespace berth {

class RestartPolicy {
 public:
  static constexpr Duration kFirstDelay = std::chrono::milliseconds(100);
  static constexpr Duration kLongestDelay = std::chrono::seconds(30);
  // So many deaths within so long, and it is given up.
  static constexpr std::size_t kDeaths = 5;
  static constexpr Duration kWindow = std::chrono::seconds(10);
  // After so long without a death the next one counts as the first.
  static constexpr Duration kForgotten = std::chrono::minutes(1);

  // A worker has died: how long to wait before the next is started (nothing, the first time; then
  // 100 ms, doubling to 30 s), or no value if it is given up.
  [[nodiscard]] std::optional<Duration> on_death(TimePoint now);

 private:
  std::deque<TimePoint> deaths_;  // the last kDeaths
  Duration next_delay_ = Duration::zero();
};

}  // namespace berth
