// How connections of a session's own end, and what ends with them, under both ways of serving.
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <string>

#include "serve/client_rig.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using namespace berth::testing;
using Under = Session::Under;

TEST_CASE("what a handler leaves open is closed when its session ends") {
  under_each([](Under under) {
    Pair one = unix_pair(), two = tcp_pair();
    Session session(under, [&](berth_connection* c) -> Script {
      adopt(c, std::move(one.served));
      adopt(c, std::move(two.served));
      ReadOp read(c);
      co_await read;
      finish(c);
    });
    session.run([&](const Fd& client) {
      CHECK(send_all(client, "x"));
      CHECK(receive_until_end(one.client) == "");
      CHECK(receive_until_end(two.client) == "");
    });
  });
}

TEST_CASE("a session that has other connections and waits for nothing is ended as failed") {
  under_each([](Under under) {
    Pair pair = unix_pair();
    Session session(under, [&](berth_connection* c) -> Script {
      adopt(c, std::move(pair.served));
      co_return;
    });
    session.run([&](const Fd&) { CHECK(receive_until_end(pair.client) == ""); });
    CHECK(session.report.end == SessionEnd::failed);
  });
}

TEST_CASE("a server that resets its connection ends that one, and not the session") {
  under_each([](Under under) {
    Pair pair = tcp_pair();
    int error = 0;
    Session session(under, [&](berth_connection* c) -> Script {
      berth_connection* const other = adopt(c, std::move(pair.served));
      {
        WriteOp adopted(c, "x");
        co_await adopted;
        ReadOp read(other);
        co_await read;
        error = read.error;
      }
      WriteOp write(other, "x");
      co_await write;
      CHECK(write.error == error);
      other->host->close(other);
      WriteOp last(c, "still here");
      co_await last;
      finish(c);
    });
    session.run([&](const Fd& client) {
      receive(client, 1);
      const linger at_once = {1, 0};
      ::setsockopt(pair.client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      pair.client.reset();
      CHECK(receive(client, 10) == "still here");
    });
    CHECK(error == ECONNRESET);
    CHECK(session.report.error == 0);
  });
}

TEST_CASE("a read of another connection ends at its time, or when a drain begins") {
  under_each([](Under under) {
    Pair pair = unix_pair();
    Session session(under, [&](berth_connection* c) -> Script {
      berth_connection* const other = adopt(c, std::move(pair.served));
      {
        ReadOp read(other, 5ms);
        co_await read;
        CHECK(read.error == ETIMEDOUT);
      }
      WriteOp write(c, "x");
      co_await write;
      ReadOp read(other, 0s, true);
      co_await read;
      CHECK(read.error == 0);
      CHECK(read.at_end());
      finish(c);
    });
    session.run([&](const Fd& client) {
      receive(client, 1);
      session.drain();
      CHECK(receive_until_end(client) == "");
    });
    CHECK(session.report.end == SessionEnd::handler);
  });
}

// Reads until it cannot any more.
Script read_on(berth_connection* from, int& error) {
  for (;;) {
    ReadOp read(from);
    co_await read;
    error = read.error;
    if (read.error != 0 || read.at_end()) co_return;
  }
}

TEST_CASE("the drain's deadline ends what is pending on every connection of a session") {
  under_each([](Under under) {
    Pair one = unix_pair(), two = unix_pair();
    int first = 0, second = 0, later = 0, adopted_later = 0;
    Session session(under, [&](berth_connection* c) -> Script {
      berth_connection* const other = adopt(c, std::move(one.served));
      read_on(other, first);
      read_on(adopt(c, std::move(two.served)), second);
      WriteOp write(c, "x");
      co_await write;
      ReadOp read(c);
      co_await read;
      CHECK(read.error == ECANCELED);
      SleepOp nap(c, 0s);
      co_await nap;
      CHECK(nap.error == ECANCELED);
      berth_connection* third = nullptr;
      adopted_later = c->host->adopt(c, unix_pair().served.release(), &third);
      WriteOp last(other, "x");
      co_await last;
      later = last.error;
      finish(c, BERTH_LOST);
    });
    session.run([&](const Fd& client) {
      receive(client, 1);
      session.cancel();
      receive_until_end(client);
    });
    CHECK(adopted_later == ECANCELED);
    CHECK(later == ECANCELED);
    CHECK(session.report.error == ECANCELED);
  });
}

TEST_CASE("a session that waits for another connection alone notices the drain's deadline") {
  under_each([](Under under) {
    Pair pair = unix_pair();
    int error = 0;
    Session session(under, [&](berth_connection* c) -> Script {
      berth_connection* const other = adopt(c, std::move(pair.served));
      WriteOp write(c, "x");
      co_await write;
      ReadOp read(other);
      co_await read;
      error = read.error;
      finish(c, BERTH_LOST);
    });
    session.run([&](const Fd& client) {
      receive(client, 1);
      session.cancel();
      receive_until_end(client);
    });
    CHECK(error == ECANCELED);
  });
}

TEST_CASE("a server that takes nothing of a write is given up after write_timeout") {
  under_each([](Under under) {
    Pair pair = unix_pair();
    int error = 0, later = 0;
    const std::string much(10'000'000, 'x');
    Session session(under, [&](berth_connection* c) -> Script {
      berth_connection* const other = adopt(c, std::move(pair.served));
      WriteOp write(other, much);
      co_await write;
      error = write.error;
      ReadOp read(other);
      co_await read;
      later = read.error;
      finish(c);
    });
    session.settings.write_timeout = 50ms;
    const TimePoint start = Clock::now();
    session.run([](const Fd&) {});
    CHECK(Clock::now() - start >= 50ms);
    CHECK(error == ETIMEDOUT);
    CHECK(later == ENOTCONN);
    CHECK(session.report.error == 0);
  });
}

}  // namespace
}  // namespace berth
