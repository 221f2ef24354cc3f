#include "supervise/restart_policy.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace berth {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart = TimePoint{} + 1h;

TEST_CASE("the first death is made good at once, the next ones after 100 ms doubling to 30 s") {
  RestartPolicy policy;
  TimePoint now = kStart;
  const std::vector<Duration> expected = {0ms,    100ms,  200ms,   400ms,   800ms, 1600ms,
                                          3200ms, 6400ms, 12800ms, 25600ms, 30s,   30s};
  for (const Duration delay : expected) {
    CHECK(policy.on_death(now) == delay);
    now += delay + 4s;  // five deaths take longer than the window
  }
}

TEST_CASE("five deaths within ten seconds are the end of it") {
  RestartPolicy policy;
  for (int death = 0; death < 4; ++death) CHECK(policy.on_death(kStart + death * 1s));
  CHECK_FALSE(policy.on_death(kStart + 4s));
}

TEST_CASE("the fifth death counts up to the last moment of the window and not after it") {
  for (const Duration last : {Duration(10s), Duration(10s + 1ns)}) {
    RestartPolicy policy;
    for (int death = 0; death < 4; ++death) CHECK(policy.on_death(kStart + death * 1s));
    CHECK(policy.on_death(kStart + last).has_value() == (last > 10s));
  }
}

TEST_CASE("any five deaths in a row count, not only the first five") {
  RestartPolicy policy;
  for (int death = 0; death < 6; ++death) CHECK(policy.on_death(kStart + death * 20s));
  const TimePoint late = kStart + 120s;
  for (int death = 0; death < 4; ++death) CHECK(policy.on_death(late + death * 1s));
  CHECK_FALSE(policy.on_death(late + 4s));
}

TEST_CASE("after a minute without a death the next one counts as the first") {
  for (const Duration quiet : {Duration(1min - 1ns), Duration(1min)}) {
    RestartPolicy policy;
    TimePoint now = kStart;
    for (int death = 0; death < 4; ++death) CHECK(policy.on_death(now += 1s));
    CHECK(policy.on_death(now + quiet) == (quiet < 1min ? 800ms : 0ms));
  }
}

}  // namespace
}  // namespace berth
