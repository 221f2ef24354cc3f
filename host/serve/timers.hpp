// Timers of one thread: a heap of those that are armed.
//
// A Timer belongs to whoever embeds it and takes itself out of its queue when it goes; the queue
// outlives its timers and asserts at its end that none is left.
#pragma once

#include <cstddef>
#include <vector>

#include "base/clock.hpp"

namespace berth {

class TimerQueue;

class Timer {
 public:
  explicit Timer(TimerQueue& queue) : queue_(queue) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer();

  // Called once when its time has come, by TimerQueue::fire_due; not armed any more by then. May
  // arm it again, and may destroy it.
  virtual void on_due() = 0;

  // Due at `when` instead of any time set before (from within fire_due, no sooner than its next
  // call); kNever disarms.
  void arm(TimePoint when);
  void disarm();
  [[nodiscard]] bool armed() const { return slot_ != kNotArmed; }
  [[nodiscard]] TimePoint due() const { return due_; }

 private:
  friend TimerQueue;
  static constexpr std::size_t kNotArmed = static_cast<std::size_t>(-1);

  TimerQueue& queue_;
  TimePoint due_ = kNever;
  std::size_t slot_ = kNotArmed;  // in the queue's heap
};

class TimerQueue {
 public:
  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;
  ~TimerQueue();

  // When the next timer is due; kNever if none is armed.
  [[nodiscard]] TimePoint next() const { return heap_.empty() ? kNever : heap_.front()->due_; }

  // Calls on_due() of the timers due by `now`, earliest first. Those armed meanwhile wait for the
  // next call, so that a timer which arms itself for now holds nobody up.
  void fire_due(TimePoint now);

 private:
  friend Timer;
  void insert(Timer& timer);
  void remove(Timer& timer);
  void move_up(std::size_t slot);
  void move_down(std::size_t slot);
  void put(std::size_t slot, Timer& timer);

  std::vector<Timer*> heap_;
  TimePoint earliest_ = TimePoint::min();  // what is armed meanwhile is due no sooner
};

}  // namespace berth
