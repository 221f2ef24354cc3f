#include "serve/hold_up_policy.hpp"

#include <doctest/doctest.h>

namespace berth {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1h};

TEST_CASE("the first hold-up is told at once, alone") {
  HoldUpPolicy policy;
  CHECK(policy.note(kStart, 230ms) == HoldUpNotice{230ms, 1, 230ms, 0s});
}

TEST_CASE("hold-ups soon after a line are kept back, and told with the next one") {
  HoldUpPolicy policy;
  REQUIRE(policy.note(kStart, 900ms));
  CHECK_FALSE(policy.note(kStart + 1s, 110ms));
  CHECK_FALSE(policy.note(kStart + 2s, 410ms));
  CHECK_FALSE(policy.note(kStart + 9999ms, 120ms));
  CHECK(policy.note(kStart + 10s, 230ms) == HoldUpNotice{230ms, 4, 410ms, 10s});
}

TEST_CASE("what one line has told the next one does not tell again") {
  HoldUpPolicy policy;
  REQUIRE(policy.note(kStart, 900ms));
  CHECK_FALSE(policy.note(kStart + 1s, 800ms));
  REQUIRE(policy.note(kStart + 12s, 200ms));
  CHECK_FALSE(policy.note(kStart + 13s, 150ms));
  CHECK(policy.note(kStart + 40s, 120ms) == HoldUpNotice{120ms, 2, 150ms, 28s});
}

TEST_CASE("a hold-up after a long while of none is told alone") {
  HoldUpPolicy policy;
  REQUIRE(policy.note(kStart, 900ms));
  const auto notice = policy.note(kStart + 1h, 200ms);
  REQUIRE(notice);
  CHECK(notice->times == 1);
  CHECK(notice->longest == 200ms);
}

}  // namespace
}  // namespace berth
