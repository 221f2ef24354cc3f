#include "serve/datagram_losses.hpp"

#include <algorithm>

#include "serve/datagram_receiver.hpp"

namespace berth {

namespace {

// How long what may have been lost is gathered.
constexpr Duration kSoon = std::chrono::milliseconds(100);

const char* plural(std::uint64_t count) { return count == 1 ? "" : "s"; }

}  // namespace

DatagramLosses::DatagramLosses(EventLoop& loop, Log& log)
    : loop_(loop), log_(log), look_(loop.timers(), [this] { tell(); }) {}

DatagramLosses::~DatagramLosses() { tell(); }

void DatagramLosses::watch(std::shared_ptr<DatagramSocket> socket) {
  const std::uint32_t before = dropped_datagrams(socket->number());
  watched_.push_back({std::move(socket), before});
}

void DatagramLosses::stop() {
  tell();
  watched_.clear();
}

void DatagramLosses::look_soon() {
  if (watched_.empty() || look_.armed()) return;
  const TimePoint soon = after(loop_.now(), kSoon);
  look_.arm(told_ == TimePoint::min() ? soon : std::max(soon, after(told_, kQuietTime)));
}

void DatagramLosses::count_too_long() {
  ++too_long_;
  look_soon();
}

void DatagramLosses::tell() {
  for (Watched& each : watched_) {
    const std::uint32_t dropped = dropped_datagrams(each.socket->number());
    const std::uint32_t more = dropped - std::exchange(each.dropped, dropped);
    if (more == 0) continue;
    told_ = loop_.now();
    log_.warn(
        "{} datagram{} to {} dropped by the kernel: they came faster than they were taken, and its "
        "queue was full (net.core.rmem_max bounds it where the host is not root)",
        more, plural(more), each.socket->local().url());
  }
  const std::uint64_t too_long = std::exchange(too_long_, 0);
  if (too_long == 0) return;
  told_ = loop_.now();
  log_.warn("{} datagram{} dropped: longer than the {} bytes that are taken", too_long,
            plural(too_long), DatagramReceiver::kRoom);
}

}  // namespace berth
