// idle_timeout of sessions that block. A session only notes that it begins to wait for its client
// and that it is through; it takes no time and sets no timer, which each message would pay for. Its
// worker looks at the notes now and then: a wait that it has seen go on for idle_timeout is over.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "base/clock.hpp"
#include "serve/event_loop.hpp"

namespace berth {

// The notes of one session, in memory that it shares with its worker.
class ClientWait {
 public:
  // From one to the other the session waits for its client in a system call.
  void begin() { count(); }
  void end() { count(); }
  // Whether the worker has given up what is waited for now. On the session's thread;
  // async-signal-safe.
  [[nodiscard]] bool is_given_up() const { return is_wait(turn_) && given_up_ == turn_; }

 private:
  friend class SeenWait;
  using Turn = std::uint32_t;
  static bool is_wait(Turn turn) { return turn % 2 == 1; }
  void count() {
    turn_.store(turn_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  std::atomic<Turn> turn_{0};      // one more at each beginning and each end
  std::atomic<Turn> given_up_{0};  // the worker's: the wait that has lasted too long
};

// What the worker has seen of them.
class SeenWait {
 public:
  // To be called at each look. Where the same wait has been seen for as long as `limit` it is given
  // up, which is told once in that time: true, and the session is to be woken.
  [[nodiscard]] bool give_up_if_over(ClientWait& wait, Duration limit, TimePoint now);

 private:
  ClientWait::Turn turn_ = 0;
  TimePoint since_;
};

// When a worker looks.
class IdleWatch {
 public:
  // `look` looks at all sessions; false if there is none. It is given the limit and the time, which
  // is not that of the loop's turn: a wait may have begun since.
  using Look = std::function<bool(Duration limit, TimePoint now)>;
  IdleWatch(EventLoop& loop, Duration limit, Look look);

  void on_session_start() {
    if (!timer_.armed() && limit_ != kUnlimited) next();
  }
  // How often: a sixteenth of the limit, a second at most. A silence is noticed late by no more
  // than two of them.
  [[nodiscard]] static Duration interval(Duration limit);

 private:
  void next() { timer_.arm(after(loop_.now(), interval(limit_))); }

  EventLoop& loop_;
  Duration limit_;
  CallTimer timer_;
};

}  // namespace berth
