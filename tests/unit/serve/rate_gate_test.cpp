#include "serve/rate_gate.hpp"

#include <doctest/doctest.h>

#include "supervise/worker_start.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart = TimePoint() + 1000h;

// Whether one more may come then; counts it if so.
bool comes(RateGate& gate, TimePoint now) {
  if (gate.next() > now) return false;
  gate.count(now);
  return true;
}

TEST_CASE("connections are let through one interval apart, and at once after a pause") {
  RateGate gate(100ms, 1);
  CHECK(comes(gate, kStart));
  CHECK_FALSE(comes(gate, kStart));
  CHECK_FALSE(comes(gate, kStart + 100ms - 1ns));
  CHECK(gate.next() == kStart + 100ms);
  CHECK(comes(gate, kStart + 100ms));
  CHECK(comes(gate, kStart + 350ms));  // late, and so is all that follows
  CHECK_FALSE(comes(gate, kStart + 400ms));
  CHECK(comes(gate, kStart + 450ms));
  CHECK(comes(gate, kStart + 10h));  // a pause saves up no more than one
  CHECK_FALSE(comes(gate, kStart + 10h));
}

TEST_CASE("a burst may come at once, and is saved up again by a pause") {
  RateGate gate(100ms, 3);
  for (int i = 0; i < 3; ++i) CHECK(comes(gate, kStart));
  CHECK_FALSE(comes(gate, kStart));
  CHECK(comes(gate, kStart + 100ms));
  CHECK_FALSE(comes(gate, kStart + 100ms));
  for (int i = 0; i < 2; ++i) CHECK(comes(gate, kStart + 300ms));
  CHECK_FALSE(comes(gate, kStart + 300ms));
  for (int i = 0; i < 3; ++i) CHECK(comes(gate, kStart + 1h));
  CHECK_FALSE(comes(gate, kStart + 1h));
}

TEST_CASE("however they come, no stretch of time has more than its burst and the rate") {
  constexpr int kBurst = 4;
  RateGate gate(10ms, kBurst);
  int passed = 0;
  TimePoint now = kStart;
  for (int i = 0; i < 10'000; ++i) {
    now += std::chrono::microseconds(i * 7919 % 4001);
    if (comes(gate, now)) ++passed;
    REQUIRE(passed <= kBurst + (now - kStart) / 10ms);
  }
  CHECK(passed >= (now - kStart) / 10ms - 1);  // nor fewer, as long as they come
}

TEST_CASE("without a limit everybody may come at any time") {
  RateGate gate;
  for (int i = 0; i < 1000; ++i) REQUIRE(comes(gate, kStart));
  CHECK(comes(gate, TimePoint()));
}

TEST_CASE("as many may come at once as come one after the other") {
  RateGate gate(1s, 3);
  CHECK(gate.room(kStart, 10) == 3);
  CHECK(gate.room(kStart, 2) == 2);
  CHECK(comes(gate, kStart));
  CHECK(gate.room(kStart, 10) == 2);
  CHECK(gate.room(kStart + 1s, 10) == 3);
  CHECK(RateGate().room(kStart, 10) == 10);
}

TEST_CASE("the longest interval and the largest burst go together") {
  RateGate gate(std::chrono::hours(1) * 1024, 1'000'000);
  for (int i = 0; i < 20; ++i) REQUIRE(comes(gate, kStart));
}

TEST_CASE("workers share a rate evenly and its burst as far as it goes") {
  const RateLimit rate = {.connections = 30, .in = 1min, .burst = 5};
  for (unsigned index = 0; index < 3; ++index) {
    RateGate gate = share_of(rate, 3, index);
    int at_once = 0;
    while (comes(gate, kStart)) ++at_once;
    CHECK(at_once == (index < 2 ? 2 : 1));
    CHECK(gate.next() == kStart + 6s);  // a third of 30 a minute
  }
  RateGate alone = share_of({.connections = 1, .in = 1h, .burst = 1}, 4, 3);
  CHECK(comes(alone, kStart));
  CHECK(alone.next() == kStart + 4h);
  CHECK(share_of(RateLimit(), 2, 1).next() == RateGate().next());
}

}  // namespace
}  // namespace berth
