// How sessions end, by themselves and when told to, under both ways of serving.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "serve/session_rig.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using namespace berth::testing;
using Under = Session::Under;

constexpr std::chrono::nanoseconds kLong = 1h;  // longer than any test

TEST_CASE("a handler that neither waits nor finishes is ended as failed") {
  for (const bool late : {false, true}) {
    CAPTURE(late);
    for (const Under under : each_way()) {
      Session session(under, [late](berth_connection* c) -> Script {
        if (!late) co_return;
        ReadOp read(c);
        co_await read;
      });
      const SessionReport& report = session.run([](const Fd& client) { send_all(client, "x"); });
      CHECK(report.end == SessionEnd::failed);
      CHECK(
          session.log.text().find("handler 'script' failed: it neither waits for an operation nor "
                                  "called finish()") != std::string::npos);
    }
  }
}

TEST_CASE("a client that has sent too much and does not close is let go all the same") {
  for (const Under under : each_way()) {
    Session session(
        under,
        [](berth_connection* c) -> Script {
          ReadOp read(c);
          co_await read;
          finish(c);
        },
        tcp_pair());
    session.close_client = false;
    session.run([](const Fd& client) { send_all(client, std::string(30'000'000, 'x')); });
    CHECK(session.report.end == SessionEnd::handler);
  }
}

TEST_CASE("a handler that fails is told in the log with its text, escaped") {
  under_each([](Under under) {
    Session session(under, [](berth_connection* c) -> Script {
      finish(c, BERTH_FAILED, "bad\nluck");
      co_return;
    });
    CHECK(session.run([](const Fd&) {}).end == SessionEnd::failed);
    CHECK(session.log.text().find("connection 17 from unknown: handler 'script' failed: "
                                  "bad\\nluck") != std::string::npos);
  });
}

TEST_CASE("a client that resets ends the session as lost") {
  under_each([](Under under) {
    Session session(under, echo, tcp_pair());
    session.close_client = false;
    const SessionReport& report = session.run([](const Fd& client) {
      send_all(client, "x");
      (void)receive(client, 1);
      const linger at_once{1, 0};
      (void)::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      const int number = client.get();
      // A reset is what close(2) makes of it; the number stays taken by another file.
      (void)::dup3(::fileno(stderr), number, O_CLOEXEC);
    });
    CHECK(report.end == SessionEnd::lost);
    CHECK(report.error == ECONNRESET);
  });
}

TEST_CASE("a write to a client that has gone fails, as do later ones, and nothing else") {
  under_each([](Under under) {
    std::vector<int> errors;
    Session session(under, [&](berth_connection* c) -> Script {
      ReadOp read(c);
      co_await read;  // until the client has closed
      for (int i = 0; i < 2; ++i) {
        WriteOp write(c, "x");
        co_await write;
        errors.push_back(write.error);
      }
      ReadOp again(c);
      co_await again;
      errors.push_back(again.error);
      SleepOp sleep(c, 1ns);
      co_await sleep;
      errors.push_back(sleep.error);
      finish(c);
    });
    const SessionReport& report = session.run([](const Fd&) {});
    CHECK(errors == std::vector{EPIPE, EPIPE, 0, 0});  // the end of the stream is read once more
    CHECK(report.end == SessionEnd::client);
  });
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
    for (const Under under : each_way()) {
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
  static constexpr Duration kBound = 2s;  // on a client that is just slow
  under_each([](Under under) {
    Duration shortest =
        Duration::max();  // of a few, since a busy machine may make any of them long
    for (int tries = 0; tries < 5 && shortest >= kBound; ++tries) {
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
      shortest = std::min<Duration>(shortest, Clock::now() - start);
    }
    CHECK(shortest < kBound);
  });
}

}  // namespace
}  // namespace berth
