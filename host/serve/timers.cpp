#include "serve/timers.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace berth {

Timer::~Timer() { disarm(); }

void Timer::arm(TimePoint when) {
  disarm();
  if (when == kNever) return;
  due_ = std::max(when, queue_.earliest_);
  queue_.insert(*this);
}

void Timer::disarm() {
  if (armed()) queue_.remove(*this);
  due_ = kNever;
}

TimerQueue::~TimerQueue() { assert(heap_.empty()); }

void TimerQueue::fire_due(TimePoint now) {
  earliest_ = after(now, Duration(1));
  while (!heap_.empty() && next() <= now) {
    Timer& timer = *heap_.front();
    timer.disarm();
    timer.on_due();
  }
  earliest_ = TimePoint::min();
}

void TimerQueue::insert(Timer& timer) {
  heap_.push_back(&timer);
  timer.slot_ = heap_.size() - 1;
  move_up(timer.slot_);
}

void TimerQueue::remove(Timer& timer) {
  const std::size_t slot = std::exchange(timer.slot_, Timer::kNotArmed);
  Timer& last = *heap_.back();
  heap_.pop_back();
  if (&last == &timer) return;
  put(slot, last);
  move_up(slot);
  move_down(last.slot_);
}

void TimerQueue::move_up(std::size_t slot) {
  while (slot > 0) {
    const std::size_t parent = (slot - 1) / 2;
    if (heap_[parent]->due_ <= heap_[slot]->due_) return;
    Timer& above = *heap_[parent];
    put(parent, *heap_[slot]);
    put(slot, above);
    slot = parent;
  }
}

void TimerQueue::move_down(std::size_t slot) {
  for (;;) {
    std::size_t child = 2 * slot + 1;
    if (child >= heap_.size()) return;
    if (child + 1 < heap_.size() && heap_[child + 1]->due_ < heap_[child]->due_) ++child;
    if (heap_[slot]->due_ <= heap_[child]->due_) return;
    Timer& below = *heap_[child];
    put(child, *heap_[slot]);
    put(slot, below);
    slot = child;
  }
}

void TimerQueue::put(std::size_t slot, Timer& timer) {
  heap_[slot] = &timer;
  timer.slot_ = slot;
}

}  // namespace berth
