// Time, and giving way to others, under both ways of serving.
#include <doctest/doctest.h>
#include <pthread.h>

#include <atomic>
#include <string>
#include <vector>

#include "serve/session_rig.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using namespace berth::testing;
using Under = Session::Under;

constexpr std::chrono::nanoseconds kLong = 1h;  // longer than any test

TEST_CASE("a read that took longer than its bound leaves the connection usable") {
  under_each([](Under under) {
    std::vector<int> errors;
    std::string data;
    Session session(under, [&](berth_connection* c) -> Script {
      for (int i = 0; i < 2; ++i) {
        ReadOp bounded(c, 1ms);
        co_await bounded;
        errors.push_back(bounded.error);
      }
      WriteOp write(c, "now");
      co_await write;
      ReadOp read(c, kLong);
      co_await read;
      errors.push_back(read.error);
      data = read.data();
      finish(c);
    });
    const SessionReport& report = session.run([](const Fd& client) {
      (void)receive(client, 3);
      send_all(client, "late");
    });
    CHECK(errors == std::vector{ETIMEDOUT, ETIMEDOUT, 0});
    CHECK(data == "late");
    CHECK(report.error == 0);
  });
}

// Ends the session when it is the last of those that go on.
Script write_beside(berth_connection* c, const std::string& bytes, int& going_on, int& error) {
  WriteOp write(c, bytes);
  co_await write;
  error = write.error;
  if (--going_on == 0) finish(c);
}

TEST_CASE("a write that begins after a wait holds up nothing beside it") {
  under_each([](Under under) {
    const std::string large(8'000'000, 'x');
    std::atomic<bool> bounded_is_over{false};
    int going_on = 2;
    int write_error = -1;
    Session session(under, [&](berth_connection* c) -> Script {
      ReadOp first(c);
      co_await first;
      write_beside(c, large, going_on, write_error);
      ReadOp bounded(c, 1ms);
      co_await bounded;
      CHECK(bounded.error == ETIMEDOUT);
      bounded_is_over = true;
      if (--going_on == 0) finish(c);
    });
    session.run([&](const Fd& client) {
      send_all(client, "now");
      const TimePoint end = after(Clock::now(), 10s);  // or it would wait for ever, if it does
      while (!bounded_is_over && Clock::now() < end) ::usleep(1000);
      CHECK(bounded_is_over);
      CHECK((receive(client, large.size()) == large));
    });
    CHECK(write_error == 0);
  });
}

TEST_CASE("a client silent for the idle timeout is given up, and every later read with it") {
  under_each([](Under under) {
    std::vector<int> errors;
    Session session(under, [&](berth_connection* c) -> Script {
      for (int i = 0; i < 2; ++i) {
        ReadOp read(c);
        co_await read;
        errors.push_back(read.error);
      }
      finish(c);
    });
    session.settings.idle_timeout = 2ms;
    const SessionReport& report =
        session.run([](const Fd& client) { CHECK(receive_until_end(client).empty()); });
    CHECK(errors == std::vector{ETIMEDOUT, ENOTCONN});
    CHECK(report.end == SessionEnd::lost);
    CHECK(report.error == ETIMEDOUT);
  });
}

TEST_CASE("a session whose client was silent for too long may still sleep") {
  under_each([](Under under) {
    std::vector<int> errors;
    Session session(under, [&](berth_connection* c) -> Script {
      ReadOp read(c);
      co_await read;
      SleepOp sleep(c, 5ms);
      co_await sleep;
      errors = {read.error, sleep.error};
      finish(c);
    });
    session.settings.idle_timeout = 2ms;
    session.close_client = false;
    session.run([](const Fd&) {});
    CHECK(errors == std::vector{ETIMEDOUT, 0});
  });
}

TEST_CASE("a client that does not read for the idle timeout is given up too") {
  under_each([](Under under) {
    int error = 0;
    const std::string large(8'000'000, 'x');
    Session session(under, [&](berth_connection* c) -> Script {
      WriteOp write(c, large);
      co_await write;
      error = write.error;
      finish(c);
    });
    session.settings.idle_timeout = 2ms;
    session.close_client = false;
    CHECK(session.run([](const Fd&) {}).end == SessionEnd::lost);
    CHECK(error == ETIMEDOUT);
  });
}

// A session whose client never reads, though it goes on to send if it is to.
void check_deaf_client(bool client_sends) {
  int error = 0;
  const std::string large(8'000'000, 'x');
  bool over = false;
  Session session(
      Session::kBlocking,
      [&](berth_connection* c) -> Script {
        const auto read_on = [&]() -> Script {
          while (!over) {
            ReadOp read(c);
            co_await read;
            if (read.error != 0) break;
          }
        };
        if (client_sends) read_on();
        WriteOp write(c, large);
        co_await write;
        error = write.error;
        over = true;
        finish(c);
      },
      tcp_pair());
  session.settings.write_timeout = 50ms;
  session.close_client = false;
  const TimePoint start = Clock::now();
  const SessionReport& report = session.run([&](const Fd& client) {
    while (client_sends && send_all(client, "x")) ::usleep(2000);
  });
  CHECK(Clock::now() - start >= 50ms);
  CHECK(error == ETIMEDOUT);
  CHECK(report.end == SessionEnd::lost);
  CHECK(report.limit == SessionLimit::write);
}

TEST_CASE("a client that takes nothing of a write for write_timeout is given up") {
  check_deaf_client(false);
}

TEST_CASE("a client that sends and takes nothing of a write is given up too") {
  check_deaf_client(true);
}

TEST_CASE("an interrupted session ends, whatever it waits for, and tells if it was its time") {
  for (const bool too_long : {true, false}) {
    CAPTURE(too_long);
    std::vector<int> errors;
    Session session(Session::kBlocking, [&](berth_connection* c) -> Script {
      ReadOp read(c);
      co_await read;
      errors.push_back(read.error);
      SleepOp sleep(c, kLong);
      co_await sleep;
      errors.push_back(sleep.error);
      finish(c);
    });
    session.settings.session_timeout = too_long ? Duration(1) : kLong;
    const SessionReport& report = session.run([&](const Fd& client) {
      session.interrupt();
      CHECK(receive_until_end(client).empty());
    });
    CHECK(errors == std::vector{ECANCELED, ECANCELED});
    CHECK(report.limit == (too_long ? SessionLimit::whole : SessionLimit::none));
  }
}

TEST_CASE("a session that sleeps ends by itself when it has lasted too long") {
  std::vector<int> errors;
  Session session(Session::kBlocking, [&](berth_connection* c) -> Script {
    SleepOp sleep(c, kLong);
    co_await sleep;
    errors.push_back(sleep.error);
    finish(c);
  });
  session.settings.session_timeout = 20ms;
  const SessionReport& report =
      session.run([](const Fd& client) { CHECK(receive_until_end(client).empty()); });
  CHECK(errors == std::vector{ECANCELED});
  CHECK(report.end == SessionEnd::lost);
  CHECK(report.limit == SessionLimit::whole);
}

TEST_CASE("a sleep is as long as it says and does not count as the client's silence") {
  for (const Under under : each_way()) {
    Session session(under, [&](berth_connection* c) -> Script {
      SleepOp sleep(c, 5ms);
      co_await sleep;
      CHECK(sleep.error == 0);
      finish(c);
    });
    if (under == Session::kBlocking) session.settings.idle_timeout = 1ms;
    const TimePoint start = Clock::now();
    CHECK(session.run([](const Fd& client) { (void)receive_until_end(client); }).end ==
          SessionEnd::handler);
    CHECK(Clock::now() - start >= 5ms);
  }
}

TEST_CASE("a session that writes without end holds up no one else in its loop") {
  in_each_loop([](Under under) {
    bool stopped = false;
    long writes = 0;
    Session session(under, [&](berth_connection* c) -> Script {
      while (!stopped) {
        WriteOp write(c, "");  // never waits for the client
        co_await write;
        ++writes;
      }
      finish(c);
    });
    SetInLoop stop(session, stopped);
    CHECK(session.run([](const Fd&) {}).end == SessionEnd::handler);
    CHECK(writes > 64);
  });
}

TEST_CASE("a write that gave way to others has its bytes sent once") {
  under_each([](Under under) {
    Session session(under, [](berth_connection* c) -> Script {
      for (int i = 0; i < 1000; ++i) {
        const std::string text = std::to_string(i) + '\n';
        WriteOp write(c, text);
        co_await write;
      }
      finish(c);
    });
    std::string got;
    session.run([&](const Fd& client) { got = receive_until_end(client); });
    std::string wanted;
    for (int i = 0; i < 1000; ++i) wanted += std::to_string(i) + '\n';
    CHECK((got == wanted));
  });
}

TEST_CASE("signals in the middle of system calls are not seen by the session") {
  under_each([](Under under) {
    struct sigaction action {
    }, before{};
    action.sa_handler = [](int) {};  // without SA_RESTART: system calls end with EINTR
    REQUIRE(::sigaction(SIGUSR1, &action, &before) == 0);
    const pthread_t serving = ::pthread_self();
    std::string data;
    const std::string large(3'000'000, 'x');
    int write_error = -1;
    Session session(under, [&](berth_connection* c) -> Script {
      ReadOp read(c);
      co_await read;
      data = read.data();
      SleepOp sleep(c, 2ms);
      co_await sleep;
      WriteOp write(c, large);
      co_await write;
      write_error = write.error;
      finish(c);
    });
    std::size_t got = 0;
    const SessionReport& report = session.run([&](const Fd& client) {
      for (int i = 0; i < 200; ++i) ::pthread_kill(serving, SIGUSR1);
      send_all(client, "x");
      while (got < large.size()) {
        ::pthread_kill(serving, SIGUSR1);
        const std::size_t some = receive(client, 30'000).size();
        if (some == 0) break;
        got += some;
      }
    });
    REQUIRE(::sigaction(SIGUSR1, &before, nullptr) == 0);
    CHECK(data == "x");
    CHECK(write_error == 0);
    CHECK(got == large.size());
    CHECK(report.error == 0);
  });
}

}  // namespace
}  // namespace berth
