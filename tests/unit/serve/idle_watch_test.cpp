#include "serve/idle_watch.hpp"

#include <doctest/doctest.h>

#include "serve/loops.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart = TimePoint() + 1h;

struct Session {
  void wait() { notes.begin(); }
  void go_on() { notes.end(); }
  bool give_up_if_over(std::chrono::seconds passed) {
    return seen.give_up_if_over(notes, 10s, kStart + passed);
  }

  ClientWait notes;
  SeenWait seen;
};

TEST_CASE("a wait is given up once it has been seen for as long as the limit, and not before") {
  Session session;
  session.wait();
  CHECK_FALSE(session.give_up_if_over(0s));  // seen first
  CHECK_FALSE(session.give_up_if_over(9s));
  CHECK_FALSE(session.notes.is_given_up());
  CHECK(session.give_up_if_over(10s));
  CHECK(session.notes.is_given_up());
}

TEST_CASE("that a wait is given up is told once in the limit's time") {
  Session session;
  session.wait();
  CHECK_FALSE(session.give_up_if_over(0s));
  CHECK(session.give_up_if_over(10s));
  CHECK_FALSE(session.give_up_if_over(11s));
  CHECK(session.give_up_if_over(20s));
}

TEST_CASE("another wait begins to count anew, however soon it follows") {
  Session session;
  session.wait();
  CHECK_FALSE(session.give_up_if_over(0s));
  session.go_on();
  session.wait();
  CHECK_FALSE(session.give_up_if_over(10s));
  CHECK_FALSE(session.give_up_if_over(19s));
  CHECK(session.give_up_if_over(20s));
}

TEST_CASE("a session that does not wait for its client is never silent") {
  Session session;
  for (const auto passed : {0s, 10s, 100s}) CHECK_FALSE(session.give_up_if_over(passed));
  session.wait();
  session.go_on();
  for (const auto passed : {200s, 300s}) CHECK_FALSE(session.give_up_if_over(passed));
}

TEST_CASE("what comes in after a wait was given up takes that back") {
  Session session;
  session.wait();
  CHECK_FALSE(session.give_up_if_over(0s));
  CHECK(session.give_up_if_over(10s));
  session.go_on();
  CHECK_FALSE(session.notes.is_given_up());
  session.wait();
  CHECK_FALSE(session.notes.is_given_up());
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
    IdleWatch watch(loop, 16ms, [&](Duration, TimePoint) {
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
    IdleWatch watch(loop, kUnlimited, [](Duration, TimePoint) { return true; });
    watch.on_session_start();
    CHECK(loop.timers().next() == kNever);
  });
}

}  // namespace
}  // namespace berth
