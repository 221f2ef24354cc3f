#include "serve/refusal_log.hpp"

#include <chrono>
#include <utility>

#include "base/log.hpp"

namespace berth {

RefusalLog::RefusalLog(EventLoop& loop, std::function<void(const Rest&)> tell_rest)
    : loop_(loop), tell_rest_(std::move(tell_rest)), quiet_(loop.timers(), [this] { tell(); }) {}

bool RefusalLog::tells_at_once(const Peer& peer) {
  if (!quiet_.armed()) {
    be_quiet();
    return true;
  }
  ++count_;
  last_ = peer;
  return false;
}

void RefusalLog::tell() {
  if (count_ == 0) return;
  const auto within = std::chrono::ceil<std::chrono::seconds>(loop_.now() - said_);
  tell_rest_({std::exchange(count_, 0), within, last_});
  be_quiet();
}

void RefusalLog::be_quiet() {
  said_ = loop_.now();
  quiet_.arm(after(said_, kQuietTime));
}

}  // namespace berth
