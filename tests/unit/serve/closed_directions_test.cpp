// What becomes of one direction of a connection when the other is closed or broken, under both ways
// of serving.
#include <doctest/doctest.h>

#include <string>

#include "serve/session_rig.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using namespace berth::testing;
using Under = Session::Under;

berth_connection* adopt(berth_connection* c, Fd socket) {
  berth_connection* adopted = nullptr;
  CHECK(c->host->adopt(c, socket.release(), &adopted) == 0);
  return adopted;
}

struct Ended {
  int error = -1;
  bool at_end = false;
  explicit operator bool() const { return error >= 0; }
};

Script read_once(berth_connection* from, Ended& ended) {
  ReadOp read(from, 1h);
  co_await read;
  ended = {read.error, read.at_end()};
}

Script write_once(berth_connection* to, std::string_view bytes, Ended& ended) {
  WriteOp write(to, bytes);
  co_await write;
  ended.error = write.error;
}

TEST_CASE("a read that waits ends when no more is wanted, but not within that call") {
  under_each([](Under under) {
    for (const bool the_served_one : {true, false}) {
      CAPTURE(the_served_one);
      Pair pair = unix_pair();
      Ended ended;
      bool within = false;
      Session session(under, [&](berth_connection* c) -> Script {
        berth_connection* const other = adopt(c, std::move(pair.served));
        berth_connection* const read = the_served_one ? c : other;
        read_once(read, ended);
        SleepOp pause(c, 1ms);
        co_await pause;
        read->host->close_read(read);
        within = static_cast<bool>(ended);
        while (!ended) {
          SleepOp nap(c, 1ms);
          co_await nap;
        }
        Ended later;
        read_once(read, later);
        while (!later) {
          SleepOp nap(c, 1ms);
          co_await nap;
        }
        CHECK(later.error == 0);
        CHECK(later.at_end);
        WriteOp write(read, "still");
        co_await write;
        CHECK(write.error == 0);
        finish(c);
      });
      session.run([&](const Fd& client) {
        CHECK(receive(the_served_one ? client : pair.client, 5) == "still");
      });
      CHECK_FALSE(within);
      CHECK(ended.error == 0);
      CHECK(ended.at_end);
      CHECK(session.report.end == SessionEnd::handler);
    }
  });
}

TEST_CASE("a session that wants no more still lets its client have the whole reply") {
  under_each([](Under under) {
    const std::string much(3'000'000, 'x');
    Session session(
        under,
        [&](berth_connection* c) -> Script {
          ReadOp read(c);
          co_await read;
          c->host->close_read(c);
          WriteOp write(c, much);
          co_await write;
          finish(c);
        },
        tcp_pair());
    session.run([&](const Fd& client) {
      CHECK(send_all(client, std::string(200'000, 'y')));
      CHECK(receive_until_end(client) == much);
    });
    CHECK(session.report.end == SessionEnd::handler);
  });
}

TEST_CASE("a write that waits is broken off by the end of writing, but not within that call") {
  under_each([](Under under) {
    for (const bool the_served_one : {true, false}) {
      CAPTURE(the_served_one);
      const std::string much(5'000'000, 'x');
      Pair pair = unix_pair();
      Ended ended;
      bool within = false;
      std::string answer;
      Session session(under, [&](berth_connection* c) -> Script {
        berth_connection* const other = adopt(c, std::move(pair.served));
        berth_connection* const half = the_served_one ? c : other;
        write_once(half, much, ended);
        SleepOp pause(c, 5ms);
        co_await pause;
        CHECK_FALSE(static_cast<bool>(ended));
        half->host->close_write(half);
        within = static_cast<bool>(ended);
        ReadOp read(half);
        co_await read;
        answer = read.data();
        while (!ended) {
          SleepOp nap(c, 1ms);
          co_await nap;
        }
        finish(c);
      });
      session.run([&](const Fd& client) {
        const Fd& deaf = the_served_one ? client : pair.client;
        CHECK(send_all(deaf, "answer"));
        CHECK(receive_until_end(deaf).size() < much.size());
      });
      CHECK_FALSE(within);
      CHECK(ended.error == EPIPE);
      CHECK(answer == "answer");
    }
  });
}

TEST_CASE("what came before the other side broke is read after a write has failed") {
  under_each([](Under under) {
    Pair pair = unix_pair();
    REQUIRE(send_all(pair.client, "last words"));
    pair.client.reset();
    std::string got;
    Session session(under, [&](berth_connection* c) -> Script {
      berth_connection* const other = adopt(c, std::move(pair.served));
      for (int i = 0; i < 2; ++i) {
        WriteOp write(other, "too late");
        co_await write;
        CHECK(write.error == EPIPE);
      }
      for (;;) {
        ReadOp read(other);
        co_await read;
        if (read.error != 0 || read.at_end()) break;
        got += read.data();
      }
      finish(c);
    });
    session.run([](const Fd&) {});
    CHECK(got == "last words");
    CHECK(session.report.error == 0);
  });
}

TEST_CASE("a session that ends because nobody reads its writes is told as lost") {
  under_each([](Under under) {
    Pair pair = unix_pair();
    Session session(
        under,
        [&](berth_connection* c) -> Script {
          ReadOp read(c);
          co_await read;
          CHECK(read.at_end());
          WriteOp write(c, "too late");
          co_await write;
          CHECK(write.error == EPIPE);
          finish(c, BERTH_LOST);
        },
        std::move(pair));
    session.run([](const Fd&) {});  // which closes
    CHECK(session.report.end == SessionEnd::lost);
    CHECK(session.report.error == EPIPE);
  });
}

}  // namespace
}  // namespace berth
