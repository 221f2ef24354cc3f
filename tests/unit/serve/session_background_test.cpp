// Calls in the background, under both ways of serving.
#include <doctest/doctest.h>

#include <future>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "serve/session_rig.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using namespace berth::testing;
using Under = Session::Under;

TEST_CASE("a session with a thread to itself makes its call there, one in a loop elsewhere") {
  for (const Under under : each_way()) {
    std::thread::id called, resumed;
    Session session(under, [&](berth_connection* c) -> Script {
      CallOp call(c, [&] { called = std::this_thread::get_id(); });
      co_await call;
      CHECK(call.error == 0);
      CHECK(call.waited == (under != Session::kBlocking));
      resumed = std::this_thread::get_id();
      finish(c);
    });
    CHECK(session.run([](const Fd&) {}).end == SessionEnd::handler);
    CHECK(resumed == std::this_thread::get_id());
    CHECK((called == resumed) == (under == Session::kBlocking));
  }
}

TEST_CASE("a call without a function, or of too small a size, is refused") {
  under_each([](Under under) {
    std::vector<int> errors;
    Session session(under, [&](berth_connection* c) -> Script {
      CallOp none(c, [] {});
      none.bytes.call.function = nullptr;
      co_await none;
      CallOp small(c, [] {});
      small.size = 8;
      co_await small;
      errors = {none.error, small.error};
      finish(c);
    });
    session.run([](const Fd&) {});
    CHECK(errors == std::vector{EINVAL, EINVAL});
  });
}

TEST_CASE("a session whose client was given up may still call in the background") {
  under_each([](Under under) {
    std::vector<int> errors;
    Session session(under, [&](berth_connection* c) -> Script {
      ReadOp read(c);
      co_await read;  // until the client has been silent for too long
      CallOp call(c, [] {});
      co_await call;
      WriteOp write(c, "x");
      co_await write;
      errors = {read.error, call.error, write.error};
      finish(c);
    });
    session.settings.idle_timeout = 2ms;
    session.close_client = false;
    session.run([](const Fd&) {});
    CHECK(errors == std::vector{ETIMEDOUT, 0, ENOTCONN});
  });
}

TEST_CASE("a session in a loop reads, and calls several functions at once, beside each other") {
  std::promise<void> one, two;
  std::string read_meanwhile;
  int running = 3;
  const auto over = [&running](berth_connection* c) {
    if (--running == 0) finish(c);
  };
  const auto call = [&](berth_connection* c, std::promise<void>& mine,
                        std::promise<void>& other) -> Script {
    CallOp wait(c, [&] {
      mine.set_value();
      other.get_future().wait();
    });
    co_await wait;
    CHECK(wait.error == 0);
    over(c);
  };
  Session session(each_way().front(), [&](berth_connection* c) -> Script {
    call(c, one, two);
    call(c, two, one);
    ReadOp read(c);
    co_await read;
    read_meanwhile = read.data();
    over(c);
  });
  session.run([](const Fd& client) { send_all(client, "x"); });
  CHECK(running == 0);
  CHECK(read_meanwhile == "x");
}

// Makes a call that is cancelled while it runs, and goes on as long as it can.
Script cancelled_in_call(berth_connection* c, std::latch& begun, std::promise<void>& go_on,
                         std::vector<int>& errors) {
  CallOp call(c, [&] {
    begun.count_down();
    go_on.get_future().wait();
  });
  co_await call;
  bool called = false;
  CallOp again(c, [&called] { called = true; });
  co_await again;
  CHECK_FALSE(called);
  ReadOp read(c);
  co_await read;
  errors = {call.error, again.error, read.error};
  finish(c);
}

TEST_CASE("a session cancelled while its call runs learns of it when the call is through") {
  under_each([](Under under) {
    std::vector<int> errors;
    std::latch begun(1);
    std::promise<void> go_on;
    const auto sleep_until_cancelled = [&](berth_connection* c) -> Script {
      SleepOp sleep(c, 1h);
      co_await sleep;
      CHECK(sleep.error == ECANCELED);
      go_on.set_value();
    };
    Session session(under, [&](berth_connection* c) -> Script {
      if (under != Session::kBlocking) sleep_until_cancelled(c);
      cancelled_in_call(c, begun, go_on, errors);
      co_return;
    });
    session.close_client = false;
    const SessionReport& report = session.run([&](const Fd&) {
      begun.wait();
      session.cancel();
      if (under == Session::kBlocking) go_on.set_value();
    });
    CHECK(errors == std::vector{0, ECANCELED, ECANCELED});
    CHECK(report.end == SessionEnd::lost);
    CHECK(report.error == ECANCELED);
  });
}

}  // namespace
}  // namespace berth
