#include "serve/event_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace berth {

void EventLoop::run() {
  running_ = true;
  while (running_) turn();
}

void EventLoop::turn() {
  Duration timeout = kUnlimited;
  if (const TimePoint next = timers_.next(); next != kNever) {
    timeout = std::max(Duration::zero(), Duration(next - Clock::now()));
  }
  demultiplexer_->wait(timeout);
  now_ = Clock::now();
  demultiplexer_->dispatch();
  timers_.fire_due(now_);
}

void CallWatcher::start(Demultiplexer& demultiplexer, int fd) {
  if (watch_.start(demultiplexer, fd, *this, {.read = true})) return;
  throw std::system_error(errno, std::generic_category(), "cannot watch a descriptor");
}

}  // namespace berth
