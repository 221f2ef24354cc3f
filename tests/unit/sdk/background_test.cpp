#include <doctest/doctest.h>

#include <cstring>
#include <thread>

#include "sdk/background_lives.hpp"

namespace berth {
namespace {

using testing::FakeHost;

TEST_CASE("what a call in the background holds is destroyed exactly once on every way out") {
  for (const LifeCase& which : kLifeCases) {
    for (const bool waits : {false, true}) {
      for (const int error : {0, ECANCELED}) {
        CAPTURE(which.name);
        CAPTURE(waits);
        CAPTURE(error);
        const LifeRun run(which, waits, error);
        CHECK(run.outcome == (error == 0 ? BERTH_FINISHED : BERTH_LOST));
        CHECK(run.text == (error == 0 ? "" : ConnectionLost(error).what()));
        CHECK(Counted::alive() == 0);
        CHECK(Counted::faults() == 0);
      }
    }
  }
}

Task<> keep_threads(Connection connection, std::thread::id& called, std::thread::id& resumed) {
  called = co_await connection.in_background([] { return std::this_thread::get_id(); });
  resumed = std::this_thread::get_id();
}

TEST_CASE(
    "a call in the background runs where the host runs it, and the session goes on there "
    "where it was") {
  for (const bool waits : {false, true}) {
    FakeHost host;
    host.calls_wait = waits;
    std::thread::id called, resumed;
    host.serve(keep_threads(host.connection(), called, resumed));
    host.complete_all();
    CHECK(called != std::thread::id());
    CHECK(called != std::this_thread::get_id());
    CHECK(resumed == std::this_thread::get_id());
  }
}

int seven() { return 7; }

Task<> call_kinds(Connection connection, int& sum) {
  int place = 1;
  const int by_name = co_await connection.in_background(seven);
  const int by_pointer = co_await connection.in_background(&seven);
  int& reference = co_await connection.in_background([&]() -> int& { return place; });
  reference = 100;
  co_await connection.in_background([&] { ++place; });
  sum = by_name + by_pointer + place;
}

TEST_CASE("functions, pointers to them and lambdas are called, and references come back as such") {
  FakeHost host;
  int sum = 0;
  host.serve(call_kinds(host.connection(), sum));
  CHECK(sum == 115);
  CHECK(host.outcome == BERTH_FINISHED);
}

Task<> let_go(Connection connection) {
  co_await connection.in_background([] { throw std::runtime_error("out of luck"); });
}

TEST_CASE("what a call in the background throws fails the session that does not catch it") {
  FakeHost host;
  host.calls_wait = true;
  host.serve(let_go(host.connection()));
  host.complete_all();
  CHECK(host.outcome == BERTH_FAILED);
  CHECK(host.finish_text == "out of luck");
}

Task<> keep_kind(Connection connection, bool& called, bool& cancelled) {
  try {
    co_await connection.in_background([&] { called = true; });
  } catch (const ConnectionLost& lost) {
    cancelled = lost.cancelled();
  }
}

TEST_CASE("a call that the host refuses is not made, and throws ConnectionLost") {
  FakeHost host;
  host.call_error = ECANCELED;
  bool called = false, cancelled = false;
  host.serve(keep_kind(host.connection(), called, cancelled));
  CHECK_FALSE(called);
  CHECK(cancelled);
}

// A host of version 1.0: behind its table lies something else.
struct OldHost : FakeHost {
  OldHost() {
    std::memcpy(&table, berth_connection::host, sizeof table);
    table.size = offsetof(berth_host, background);
    table.abi_minor = 0;
    table.background = [](berth_connection*, berth_operation*) -> int {
      FAIL("called beyond the end of its table");
      return BERTH_DONE;
    };
    berth_connection::host = &table;
  }
  berth_host table;
};

TEST_CASE("on a host that knows of no background the function is called in place") {
  OldHost host;
  std::thread::id called, resumed;
  host.serve(keep_threads(host.connection(), called, resumed));
  CHECK(called == std::this_thread::get_id());
  CHECK(host.outcome == BERTH_FINISHED);
  OldHost failing;
  failing.serve(let_go(failing.connection()));
  CHECK(failing.finish_text == "out of luck");
}

// What GCC 12 would destroy twice is refused when it is compiled; see survives_await.
TEST_CASE("a temporary is refused only where the compiler would destroy it twice") {
  const auto plain = [i = 1] { return i; };
  const auto owner = [text = std::string("x")] { return text; };
  CHECK(detail::survives_await<decltype([] {})>);
  CHECK(detail::survives_await<std::remove_const_t<decltype(plain)>>);
  CHECK(detail::survives_await<decltype(owner)&>);
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
  CHECK_FALSE(detail::survives_await<std::remove_const_t<decltype(owner)>>);
#endif
}

}  // namespace
}  // namespace berth
