#include "serve/write_progress.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>

namespace berth {

Duration WriteProgress::interval(Duration limit) {
  if (limit == kUnlimited) return kUnlimited;
  return std::max<Duration>(limit / 8, std::chrono::milliseconds(1));
}

Duration WriteProgress::interval(const ListenerSettings& settings) {
  return interval(std::min(settings.idle_timeout, settings.write_timeout));
}

Duration WriteProgress::stuck_for(std::uint64_t sent, int queued, TimePoint now) {
  if (sent != sent_ || queued != queued_) {
    sent_ = sent;
    queued_ = queued;
    since_ = now;
  }
  return now - since_;
}

Duration WriteProgress::stuck_for_now(int socket, std::uint64_t sent, TimePoint now) {
  int queued = 0;
  (void)::ioctl(socket, SIOCOUTQ, &queued);
  return stuck_for(sent, queued, now);
}

}  // namespace berth
