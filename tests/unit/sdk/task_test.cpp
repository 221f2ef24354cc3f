#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>

#include "sdk/fake_host.hpp"

namespace berth {
namespace {

using testing::FakeHost;
using testing::keep_result;

Task<int> mark_and_return(bool& ran, int value) {
  ran = true;
  co_return value;
}

TEST_CASE("a task does not run before it is awaited") {
  bool ran = false;
  FakeHost host;
  std::optional<int> result;
  {
    Task<int> never_awaited = mark_and_return(ran, 1);
    CHECK_FALSE(ran);
  }
  CHECK_FALSE(ran);
  host.serve(keep_result(mark_and_return(ran, 2), result));
  CHECK(ran);
  CHECK(result == 2);
}

Task<std::unique_ptr<int>> make_number() { co_return std::make_unique<int>(42); }

TEST_CASE("a task gives a value that can only be moved") {
  FakeHost host;
  std::optional<std::unique_ptr<int>> result;
  host.serve(keep_result(make_number(), result));
  REQUIRE(result);
  CHECK(**result == 42);
}

Task<std::string> text_of_another_type() { co_return "converted"; }

TEST_CASE("a task's result is made of whatever converts to it") {
  FakeHost host;
  std::optional<std::string> result;
  host.serve(keep_result(text_of_another_type(), result));
  CHECK(result == "converted");
}

Task<int> fail_after_sleep(Connection connection) {
  co_await connection.sleep_for(std::chrono::seconds(1));
  throw std::runtime_error("too late");
}

Task<> catch_it(Connection connection, std::string& caught) {
  try {
    (void)co_await fail_after_sleep(connection);
  } catch (const std::runtime_error& fault) {
    caught = fault.what();
  }
}

TEST_CASE("what a task throws is thrown where it is awaited") {
  for (const bool waits : {false, true}) {
    CAPTURE(waits);
    FakeHost host;
    host.sleeps_wait = waits;
    std::string caught;
    host.serve(catch_it(host.connection(), caught));
    host.complete_all();
    CHECK(caught == "too late");
    CHECK(host.outcome == BERTH_FINISHED);
  }
}

Task<int> depth(Connection connection, int levels) {
  if (levels == 0) {
    co_await connection.sleep_for(std::chrono::seconds(1));
    co_return 0;
  }
  const int below = co_await depth(connection, levels - 1);
  co_return below + 1;
}

TEST_CASE("a tower of tasks that waits at its top comes down whole") {
  FakeHost host;
  host.sleeps_wait = true;
  std::optional<int> result;
  host.serve(keep_result(depth(host.connection(), 100), result));
  CHECK_FALSE(result);
  REQUIRE(host.pending.size() == 1);
  host.complete_next();
  CHECK(result == 100);
  CHECK(host.finishes == 1);
}

Task<> forget_a_task(bool& ran) {
  { Task<int> dropped = mark_and_return(ran, 1); }
  co_return;
}

TEST_CASE("a task that is dropped unawaited is just gone") {
  FakeHost host;
  bool ran = false;
  host.serve(forget_a_task(ran));
  CHECK_FALSE(ran);
  CHECK(host.finishes == 1);
}

TEST_CASE("an assigned task is the other one") {
  bool first = false, second = false;
  FakeHost host;
  std::optional<int> result;
  Task<int> task = mark_and_return(first, 1);
  task = mark_and_return(second, 2);
  host.serve(keep_result(std::move(task), result));
  CHECK(result == 2);
  CHECK_FALSE(first);
}

}  // namespace
}  // namespace berth
