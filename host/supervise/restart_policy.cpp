#include "supervise/restart_policy.hpp"

#include <algorithm>

namespace berth {

std::optional<Duration> RestartPolicy::on_death(TimePoint now) {
  if (!deaths_.empty() && now - deaths_.back() >= kForgotten) {
    deaths_.clear();
    next_delay_ = Duration::zero();
  }
  deaths_.push_back(now);
  if (deaths_.size() > kDeaths) deaths_.pop_front();
  if (deaths_.size() == kDeaths && now - deaths_.front() <= kWindow) return std::nullopt;
  const Duration delay = next_delay_;
  next_delay_ = std::clamp(2 * delay, kFirstDelay, kLongestDelay);
  return delay;
}

}  // namespace berth
