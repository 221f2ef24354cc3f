#include "serve/idle_watch.hpp"

#include <doctest/doctest.h>

#include "serve/loops.hpp"

using namespace berth;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart = TimePoint() + 1h;

}  // namespace

TEST_CASE("a wait is over once it has been seen for as long as the limit, and not before") {
  ClientWait wait;
  SeenWait seen;
  wait.begin();
  CHECK_FALSE(seen.is_over(wait, 10s, kStart));  // seen first
  CHECK_FALSE(seen.is_over(wait, 10s, kStart + 9s));
  CHECK_FALSE(wait.is_given_up());
  CHECK(seen.is_over(wait, 10s, kStart + 10s));
  CHECK(wait.is_given_up());
}

TEST_CASE("a wait that is over is told of once in the limit's time") {
  ClientWait wait;
  SeenWait seen;
  wait.begin();
  CHECK_FALSE(seen.is_over(wait, 10s, kStart));
  CHECK(seen.is_over(wait, 10s, kStart + 10s));
  CHECK_FALSE(seen.is_over(wait, 10s, kStart + 11s));
  CHECK(seen.is_over(wait, 10s, kStart + 20s));
}

TEST_CASE("another wait begins to count anew, however soon it follows") {
  ClientWait wait;
  SeenWait seen;
  wait.begin();
  CHECK_FALSE(seen.is_over(wait, 10s, kStart));
  wait.end();
  wait.begin();
  CHECK_FALSE(seen.is_over(wait, 10s, kStart + 10s));
  CHECK_FALSE(seen.is_over(wait, 10s, kStart + 19s));
  CHECK(seen.is_over(wait, 10s, kStart + 20s));
}

TEST_CASE("a session that does not wait for its client is never silent") {
  ClientWait wait;
  SeenWait seen;
  for (const auto passed : {0s, 10s, 100s}) CHECK_FALSE(seen.is_over(wait, 10s, kStart + passed));
  wait.begin();
  wait.end();
  for (const auto passed : {200s, 300s}) CHECK_FALSE(seen.is_over(wait, 10s, kStart + passed));
}

TEST_CASE("what comes in after a wait was given up takes that back") {
  ClientWait wait;
  SeenWait seen;
  wait.begin();
  CHECK_FALSE(seen.is_over(wait, 10s, kStart));
  CHECK(seen.is_over(wait, 10s, kStart + 10s));
  wait.end();
  CHECK_FALSE(wait.is_given_up());
  wait.begin();
  CHECK_FALSE(wait.is_given_up());
}

TEST_CASE("it is looked often enough for the limit, at least once a second") {
  CHECK(IdleWatch::interval(16s) == 1s);
  CHECK(IdleWatch::interval(10min) == 1s);
  CHECK(IdleWatch::interval(160ms) == 10ms);
  CHECK(IdleWatch::interval(1ns) == 1ms);
}

TEST_CASE("looking begins with a session and ends when there is none") {
  testing::in_each_loop([](auto make) {
    EventLoop loop(make());
    int looks = 0;
    IdleWatch watch(loop, 16ms, [&] {
      if (++looks == 3) loop.stop();
      return looks < 3;
    });
    CHECK(loop.timers().next() == kNever);
    watch.on_session_start();
    loop.run();
    CHECK(loop.timers().next() == kNever);
    CHECK(looks == 3);
  });
}

TEST_CASE("without a limit nothing is looked at") {
  testing::in_each_loop([](auto make) {
    EventLoop loop(make());
    IdleWatch watch(loop, kUnlimited, [] { return true; });
    watch.on_session_start();
    CHECK(loop.timers().next() == kNever);
  });
}
