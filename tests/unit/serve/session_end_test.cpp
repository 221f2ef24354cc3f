// Time, drains and ends of sessions, under both ways of serving.
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

void under_each(void (*check)(Under)) {
  SUBCASE("blocking") { check(Under::blocking); }
  SUBCASE("in a loop") { check(Under::loop); }
}

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
    CHECK(errors == std::vector{ETIMEDOUT, ETIMEDOUT});
    CHECK(report.end == SessionEnd::lost);
    CHECK(report.error == ETIMEDOUT);
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

TEST_CASE("a sleep is as long as it says and does not count as the client's silence") {
  for (const Under under : {Under::blocking, Under::loop}) {
    Session session(under, [&](berth_connection* c) -> Script {
      SleepOp sleep(c, 5ms);
      co_await sleep;
      CHECK(sleep.error == 0);
      finish(c);
    });
    if (under == Under::blocking) session.settings.idle_timeout = 1ms;
    const TimePoint start = Clock::now();
    CHECK(session.run([](const Fd& client) { (void)receive_until_end(client); }).end ==
          SessionEnd::handler);
    CHECK(Clock::now() - start >= 5ms);
  }
}

TEST_CASE("a drain ends the reads that may end there, now and later") {
  under_each([](Under under) {
    int ends = 0, stopping = -1;
    Session session(under, [&](berth_connection* c) -> Script {
      WriteOp write(c, "r");
      co_await write;
      for (int i = 0; i < 2; ++i) {
        ReadOp read(c, i == 0 ? kLong : 0ns, true);
        co_await read;
        ends += read.at_end() && read.error == 0 ? 1 : 0;
      }
      stopping = c->host->stopping(c);
      finish(c);
    });
    const SessionReport& report = session.run([&](const Fd& client) {
      (void)receive(client, 1);
      session.drain();
      (void)receive_until_end(client);
    });
    CHECK(ends == 2);
    CHECK(stopping == 1);
    CHECK(report.end == SessionEnd::handler);
  });
}

TEST_CASE("a drain leaves alone what may not end there") {
  under_each([](Under under) {
    std::string data;
    Session session(under, [&](berth_connection* c) -> Script {
      WriteOp write(c, "r");
      co_await write;
      ReadOp read(c);
      co_await read;
      data = read.data();
      SleepOp sleep(c, 1ms);
      co_await sleep;
      CHECK(sleep.error == 0);
      WriteOp reply(c, "bye");
      co_await reply;
      finish(c);
    });
    std::string reply;
    session.run([&](const Fd& client) {
      (void)receive(client, 1);
      session.drain();
      send_all(client, "x");
      reply = receive_until_end(client);
    });
    CHECK(data == "x");
    CHECK(reply == "bye");
  });
}

struct Tally {
  std::vector<int> errors;
  int running = 0;
  void note(berth_connection* c, int error) {
    errors.push_back(error);
    if (--running == 0) finish(c);
  }
};
Script sleeper(berth_connection* c, Tally& tally) {
  SleepOp sleep(c, kLong);
  co_await sleep;
  SleepOp again(c, kLong);
  co_await again;
  CHECK(again.error == sleep.error);
  tally.note(c, sleep.error);
}
Script reader(berth_connection* c, Tally& tally) {
  ReadOp read(c, kLong);
  co_await read;
  ReadOp again(c);
  co_await again;
  CHECK(again.error == read.error);
  tally.note(c, read.error);
}
Script writer(berth_connection* c, Tally& tally, const std::string& large) {
  WriteOp write(c, large);
  co_await write;
  SleepOp after(c, kLong);
  co_await after;
  CHECK(after.error == write.error);
  tally.note(c, write.error);
}

TEST_CASE("a cancel ends everything that is pending, sleeps too, and all that follows") {
  under_each([](Under under) {
    Tally tally;
    tally.running = 4;
    const std::string large(8'000'000, 'x');
    Session session(under, [&](berth_connection* c) -> Script {
      sleeper(c, tally);
      sleeper(c, tally);
      reader(c, tally);
      writer(c, tally, large);
      co_return;
    });
    session.close_client = false;  // the cancel alone ends it
    const SessionReport& report = session.run([&](const Fd& client) {
      (void)receive(client, 1);
      session.cancel();
    });
    CHECK(tally.errors == std::vector{ECANCELED, ECANCELED, ECANCELED, ECANCELED});
    CHECK(report.end == SessionEnd::lost);
    CHECK(report.error == ECANCELED);
  });
}

TEST_CASE("a cancel ends a read, a write or a sleep that is pending alone") {
  for (const char* const what : {"read", "write", "sleep"}) {
    for (const Under under : {Under::blocking, Under::loop}) {
      CAPTURE(what);
      Tally tally;
      tally.running = 1;
      const std::string large(8'000'000, 'x');
      Session session(under, [&](berth_connection* c) -> Script {
        WriteOp write(c, "r");
        co_await write;
        if (*what == 'r') {
          reader(c, tally);
        } else if (*what == 'w') {
          writer(c, tally, large);
        } else {
          sleeper(c, tally);
        }
      });
      session.run([&](const Fd& client) {
        (void)receive(client, 1);
        session.cancel();
        (void)receive_until_end(client);
      });
      CHECK(tally.errors == std::vector{ECANCELED});
    }
  }
}

TEST_CASE("a session that writes without end holds up no one else in its loop") {
  bool stopped = false;
  long writes = 0;
  Session session(Under::loop, [&](berth_connection* c) -> Script {
    while (!stopped) {
      WriteOp write(c, "");  // never waits for the client
      co_await write;
      ++writes;
    }
    finish(c);
  });
  std::optional<CallTimer> timer;
  session.in_loop = [&](EventLoop& loop) {
    timer.emplace(loop.timers(), [&] {
      stopped = true;
      timer.reset();
    });
    timer->arm(Clock::now() + 1ms);
  };
  CHECK(session.run([](const Fd&) {}).end == SessionEnd::handler);
  CHECK(writes > 64);
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

TEST_CASE("the tail of a reply arrives although the handler left input unread") {
  under_each([](Under under) {
    const std::string reply(2'000'000, 'r');
    Session session(
        under,
        [&](berth_connection* c) -> Script {
          ReadOp read(c);
          co_await read;
          WriteOp write(c, reply);
          co_await write;
          finish(c);
        },
        tcp_pair());
    std::string got;
    const SessionReport& report = session.run([&](const Fd& client) {
      send_all(client, std::string(300'000, 'q'));
      got = receive_until_end(client);
    });
    CHECK(got.size() == reply.size());
    CHECK(report.end == SessionEnd::handler);
  });
}

TEST_CASE("a cancel ends the wait for a client that does not close") {
  under_each([](Under under) {
    Session session(under, [](berth_connection* c) -> Script {
      WriteOp write(c, "bye");
      co_await write;
      finish(c);
    });
    session.close_client = false;
    std::string got;
    const TimePoint start = Clock::now();
    const SessionReport& report = session.run([&](const Fd& client) {
      got = receive_until_end(client);
      session.cancel();
    });
    CHECK(got == "bye");
    CHECK(report.end == SessionEnd::handler);
    CHECK(Clock::now() - start < 2s);  // the bound on a client that is just slow
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
