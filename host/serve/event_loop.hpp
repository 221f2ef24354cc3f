// One thread's loop over descriptors and timers. A worker's main thread turns one, which is absent
// from the sessions' processes that it forks; the supervisor another.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/pages.hpp"
#include "serve/demultiplexer.hpp"
#include "serve/timers.hpp"

namespace berth {

// A watcher that calls a function.
class CallWatcher final : public Watcher {
 public:
  explicit CallWatcher(std::function<void()> call) : call_(std::move(call)) {}
  void on_ready() override { call_(); }
  // Watches for input; throws std::system_error where that cannot be.
  void start(Demultiplexer& demultiplexer, int fd);
  void stop() { watch_.stop(); }

 private:
  std::function<void()> call_;
  Watch watch_;
};

// Whoever has something to do when a turn has told all whom it concerned: to do at once for many
// what would cost a system call for each.
class TurnEnd {
 public:
  virtual void on_turn_end() = 0;

 protected:
  ~TurnEnd() = default;
};

class EventLoop : public AbsentAfterFork {
 public:
  // Throws std::system_error where there are no descriptors left.
  explicit EventLoop(std::unique_ptr<Demultiplexer> demultiplexer);

  [[nodiscard]] Demultiplexer& demultiplexer() { return *demultiplexer_; }
  [[nodiscard]] TimerQueue& timers() { return timers_; }
  // The time at which this turn's wait ended: one look at the clock serves a whole turn.
  [[nodiscard]] TimePoint now() const { return now_; }

  // Turns until stop() is called meanwhile; can be run again.
  void run();
  void stop() { running_ = false; }

  // While it lives another thread may do with the loop, and with what belongs to it, what the
  // loop's own thread may: watch, arm timers, call what is called there. That thread waits for the
  // guest's end where it has something to do; it is not woken, and no turn_end comes of it.
  class Guest {
   public:
    explicit Guest(EventLoop& loop);
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;
    ~Guest();

   private:
    EventLoop& loop_;
    std::scoped_lock<std::mutex> lock_;
  };
  // Before run(): there may be guests.
  void admit_guests() { has_guests_ = true; }

  // Has it called once, at the end of this turn. Throws std::bad_alloc.
  void at_turn_end(TurnEnd& whom) { turn_ends_.push_back(&whom); }
  // Before it goes, if it was not called.
  void forget_turn_end(const TurnEnd& whom);

  // What one turn does for all that are ready should not take so long that they notice.
  static constexpr Duration kLongTurn = std::chrono::milliseconds(100);
  // Has `call` told at the end of each turn whose work took longer than that how long it took.
  // Null: turns are not measured.
  void watch_turns(std::function<void(Duration)> call) { on_long_turn_ = std::move(call); }

 private:
  void turn(std::unique_lock<std::mutex>& lock);
  void end_turn();
  void measure_turn();
  void ring_by(TimePoint when);
  void set_alarm(TimePoint when);
  void on_alarm();

  std::unique_ptr<Demultiplexer> demultiplexer_;
  TimerQueue timers_;
  std::vector<TurnEnd*> turn_ends_;  // null where one was forgotten
  // A timerfd wakes the loop for its timers. It is set only when one is due sooner than it rings,
  // so that a turn that is all messages pays nothing for time; a timeout of the wait itself would
  // make the kernel start and cancel a clock each turn.
  Fd alarm_;
  CallWatcher on_alarm_;
  TimePoint alarm_rings_ = kNever;
  TimePoint now_ = Clock::now();
  bool running_ = true;
  bool has_guests_ = false;
  std::mutex mutex_;  // with guests: held by run() but while it waits
  std::function<void(Duration)> on_long_turn_;
};

// A timer that calls a function.
class CallTimer final : public Timer {
 public:
  CallTimer(TimerQueue& queue, std::function<void()> call) : Timer(queue), call_(std::move(call)) {}
  void on_due() override { call_(); }

 private:
  std::function<void()> call_;
};

}  // namespace berth
