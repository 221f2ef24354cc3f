#include "serve/event_loop.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <system_error>
#include <utility>

namespace berth {

EventLoop::EventLoop(std::unique_ptr<Demultiplexer> demultiplexer)
    : demultiplexer_(std::move(demultiplexer)),
      alarm_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      on_alarm_([this] { on_alarm(); }) {
  if (!alarm_) throw std::system_error(errno, std::generic_category(), "timerfd_create");
  on_alarm_.start(*demultiplexer_, alarm_.get());
}

void EventLoop::run() {
  std::unique_lock lock(mutex_, std::defer_lock);
  if (has_guests_) lock.lock();
  running_ = true;
  while (running_) turn(lock);
}

void EventLoop::turn(std::unique_lock<std::mutex>& lock) {
  const TimePoint next = timers_.next();
  const bool is_due = next <= now_ || !turn_ends_.empty();
  if (!is_due) ring_by(next);
  if (has_guests_) lock.unlock();
  demultiplexer_->wait(is_due ? Duration::zero() : kUnlimited);
  if (has_guests_) lock.lock();
  now_ = Clock::now();
  demultiplexer_->dispatch();
  timers_.fire_due(now_);
  if (!turn_ends_.empty()) end_turn();
  if (on_long_turn_) measure_turn();
}

// What is asked for meanwhile has its turn too, but must not keep the others from theirs.
void EventLoop::end_turn() {
  constexpr int kRounds = 8;
  for (int rounds = 0; rounds < kRounds && !turn_ends_.empty(); ++rounds) {
    const std::size_t count = turn_ends_.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (TurnEnd* const whom = std::exchange(turn_ends_[i], nullptr)) whom->on_turn_end();
    }
    turn_ends_.erase(turn_ends_.begin(), turn_ends_.begin() + static_cast<std::ptrdiff_t>(count));
  }
}

void EventLoop::forget_turn_end(const TurnEnd& whom) {
  std::replace(turn_ends_.begin(), turn_ends_.end(), const_cast<TurnEnd*>(&whom),
               static_cast<TurnEnd*>(nullptr));
}

// The coarse clock tells what the kernel noted at its last tick, at most 10 ms ago: near enough
// here, and never more than it was. It only reads memory, where the exact clock also reads the
// processor's counter, so that a turn pays some nanoseconds for it.
void EventLoop::measure_turn() {
  timespec coarse{};
  (void)::clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);
  const TimePoint end(std::chrono::seconds(coarse.tv_sec) + Duration(coarse.tv_nsec));
  const Duration length = end - now_;
  if (length > kLongTurn) on_long_turn_(length);
}

EventLoop::Guest::Guest(EventLoop& loop) : loop_(loop), lock_(loop.mutex_) {
  loop_.now_ = Clock::now();
}

// The loop may be in its wait, which it began before it knew of timers that were armed since.
EventLoop::Guest::~Guest() { loop_.ring_by(loop_.timers_.next()); }

void EventLoop::ring_by(TimePoint when) {
  if (when < alarm_rings_) set_alarm(when);
}

void EventLoop::set_alarm(TimePoint when) {
  // The steady clock of the standard library is CLOCK_MONOTONIC on Linux. All zeros would disarm.
  const auto since_boot = std::max(Duration(1), Duration(when.time_since_epoch()));
  itimerspec setting{};
  setting.it_value.tv_sec = static_cast<time_t>(since_boot.count() / 1'000'000'000);
  setting.it_value.tv_nsec = static_cast<long>(since_boot.count() % 1'000'000'000);
  (void)::timerfd_settime(alarm_.get(), TFD_TIMER_ABSTIME, &setting, nullptr);
  alarm_rings_ = when;
}

void EventLoop::on_alarm() {
  std::uint64_t rings;
  (void)!::read(alarm_.get(), &rings, sizeof rings);
  alarm_rings_ = kNever;  // the turn ends with the timers that are due
}

void CallWatcher::start(Demultiplexer& demultiplexer, int fd) {
  if (watch_.start(demultiplexer, fd, *this)) return;
  throw std::system_error(errno, std::generic_category(), "cannot watch a descriptor");
}

}  // namespace berth
