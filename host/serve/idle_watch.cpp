#include "serve/idle_watch.hpp"

#include <algorithm>
#include <utility>

namespace berth {

bool SeenWait::give_up_if_over(ClientWait& wait, Duration limit, TimePoint now) {
  const ClientWait::Turn turn = wait.turn_;
  if (turn != turn_ || !ClientWait::is_wait(turn)) {
    turn_ = turn;
    since_ = now;
    return false;
  }
  if (now - since_ < limit) return false;
  since_ = now;
  wait.given_up_ = turn;
  return true;
}

IdleWatch::IdleWatch(EventLoop& loop, Duration limit, Look look)
    : loop_(loop), limit_(limit), timer_(loop.timers(), [this, look = std::move(look)] {
        if (look(limit_, Clock::now())) next();
      }) {}

Duration IdleWatch::interval(Duration limit) {
  return std::clamp<Duration>(limit / 16, std::chrono::milliseconds(1), std::chrono::seconds(1));
}

}  // namespace berth
