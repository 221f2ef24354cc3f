#include "serve/timers.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace berth {
namespace {

TimePoint at(int when) { return TimePoint{} + std::chrono::milliseconds(when); }

struct TestTimer final : Timer {
  TestTimer(TimerQueue& queue, std::function<void()> call)
      : Timer(queue), on_fire(std::move(call)) {}
  void on_due() override { on_fire(); }
  std::function<void()> on_fire;
};

struct Rig {
  TimerQueue queue;
  std::vector<int> fired;
  std::vector<std::unique_ptr<TestTimer>> timers;

  TestTimer& add(int number) {
    timers.push_back(
        std::make_unique<TestTimer>(queue, [this, number] { fired.push_back(number); }));
    return *timers.back();
  }
};

TEST_CASE("timers fire in the order of their times, and none before its time") {
  Rig rig;
  for (const int when : {50, 10, 40, 20, 30}) rig.add(when).arm(at(when));
  CHECK(rig.queue.next() == at(10));
  rig.queue.fire_due(at(9));
  CHECK(rig.fired.empty());
  rig.queue.fire_due(at(30));
  CHECK(rig.fired == std::vector{10, 20, 30});
  CHECK(rig.queue.next() == at(40));
  rig.queue.fire_due(at(100));
  CHECK(rig.fired == std::vector{10, 20, 30, 40, 50});
  CHECK(rig.queue.next() == kNever);
}

TEST_CASE("a timer fires once, and again only if it is armed again") {
  Rig rig;
  TestTimer& timer = rig.add(1);
  timer.arm(at(1));
  CHECK(timer.armed());
  CHECK(timer.due() == at(1));
  rig.queue.fire_due(at(1));
  CHECK_FALSE(timer.armed());
  rig.queue.fire_due(at(2));
  CHECK(rig.fired.size() == 1);
  timer.arm(at(2));
  rig.queue.fire_due(at(2));
  CHECK(rig.fired.size() == 2);
}

TEST_CASE("arming again moves the time, to either side, and never disarms") {
  Rig rig;
  TestTimer& timer = rig.add(1);
  rig.add(2).arm(at(20));
  timer.arm(at(30));
  timer.arm(at(10));
  CHECK(rig.queue.next() == at(10));
  timer.arm(at(40));
  CHECK(rig.queue.next() == at(20));
  timer.arm(kNever);
  CHECK_FALSE(timer.armed());
  rig.queue.fire_due(at(100));
  CHECK(rig.fired == std::vector{2});
}

TEST_CASE("a timer that is disarmed or gone does not fire") {
  Rig rig;
  rig.add(1).arm(at(1));
  rig.add(2).arm(at(2));
  rig.add(3).arm(at(3));
  rig.timers[0]->disarm();
  rig.timers[0]->disarm();
  rig.timers.erase(rig.timers.begin() + 1);
  rig.queue.fire_due(at(9));
  CHECK(rig.fired == std::vector{3});
}

TEST_CASE("a timer may destroy itself and others while it fires") {
  Rig rig;
  for (int number = 0; number < 4; ++number) rig.add(number).arm(at(number));
  rig.timers[1]->on_fire = [&rig] {
    rig.fired.push_back(1);
    const auto keep = std::move(rig.timers[0]);
    rig.timers[2].reset();
    rig.timers[1].reset();  // this one
  };
  // Its function goes with it: what it captures is not touched afterwards.
  rig.queue.fire_due(at(9));
  CHECK(rig.fired == std::vector{0, 1, 3});
}

TEST_CASE("a timer that arms itself for now waits for the next call, after all others due") {
  for (const int again : {0, 1, 5, 9}) {
    CAPTURE(again);
    Rig rig;
    TestTimer* const greedy = &rig.add(0);
    greedy->arm(at(0));
    greedy->on_fire = [&rig, greedy, again] {
      rig.fired.push_back(0);
      greedy->arm(at(again));
    };
    for (int number = 1; number <= 3; ++number) rig.add(number).arm(at(number == 1 ? 5 : 9));
    rig.queue.fire_due(at(9));
    REQUIRE(rig.fired.size() == 4);
    CHECK(rig.fired[0] == 0);
    CHECK(rig.fired[1] == 1);
    CHECK(greedy->armed());
    CHECK(rig.queue.next() <= at(9) + Duration(1));  // the loop does not sleep over it
  }
}

// The same by a sorted map: slow and plain.
TEST_CASE("random timers do what a sorted map says") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  constexpr std::size_t kTimers = 50;
  Rig rig;
  std::map<int, int> model;  // number → time
  for (std::size_t i = 0; i < kTimers; ++i) rig.add(static_cast<int>(i));
  int now = 0;
  for (int round = 0; round < 20'000; ++round) {
    const int number = static_cast<int>(random() % kTimers);
    TestTimer& timer = *rig.timers[static_cast<std::size_t>(number)];
    switch (random() % 4) {
      case 0:
      case 1:
        model[number] = now + static_cast<int>(random() % 200);
        timer.arm(at(model[number]));
        break;
      case 2:
        model.erase(number);
        timer.disarm();
        break;
      case 3: {
        now += static_cast<int>(random() % 20);
        std::multimap<int, int> due;
        for (const auto& [which, when] : model) {
          if (when <= now) due.emplace(when, which);
        }
        rig.fired.clear();
        rig.queue.fire_due(at(now));
        REQUIRE(rig.fired.size() == due.size());
        int last = 0;
        for (const int which : rig.fired) {
          REQUIRE(model.at(which) >= last);
          last = model.at(which);
          REQUIRE(last <= now);
          model.erase(which);
        }
      }
    }
    int next = -1;
    for (const auto& [which, when] : model) next = next < 0 ? when : std::min(next, when);
    REQUIRE(rig.queue.next() == (next < 0 ? kNever : at(next)));
  }
}

}  // namespace
}  // namespace berth
