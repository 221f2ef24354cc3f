// What is said of an event loop that was held up: a line at once, and then at most one in a while,
// with the count of those that were kept back meanwhile. Policy on values; the model writes the
// lines.
#pragma once

#include <algorithm>
#include <optional>

#include "base/clock.hpp"
#include "base/log.hpp"

namespace berth {

// What one line has to say.
struct HoldUpNotice {
  Duration length;      // of this hold-up
  unsigned times = 1;   // since the last line, this one included
  Duration longest{0};  // of those
  Duration since{0};    // how long ago the last line was; 0 for the first
  bool operator==(const HoldUpNotice&) const = default;
};

class HoldUpPolicy {
 public:
  // A hold-up of that length has ended now. The line to write, or nothing yet.
  [[nodiscard]] std::optional<HoldUpNotice> note(TimePoint now, Duration length) {
    ++times_;
    longest_ = std::max(longest_, length);
    if (said_ && now - *said_ < kQuietTime) return std::nullopt;
    const HoldUpNotice notice = {length, times_, longest_, said_ ? now - *said_ : Duration::zero()};
    said_ = now;
    times_ = 0;
    longest_ = Duration::zero();
    return notice;
  }

 private:
  std::optional<TimePoint> said_;
  unsigned times_ = 0;
  Duration longest_{0};
};

}  // namespace berth
