// Connections that a session has beside the one that it serves, under both ways of serving.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>

#include <string>
#include <thread>

#include "serve/client_rig.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using namespace berth::testing;
using Under = Session::Under;

bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }

std::string text_of(std::size_t (*get)(const berth_connection*, char*, std::size_t),
                    const berth_connection* c) {
  char text[128];
  return {text, get(c, text, sizeof text)};
}

// Moves what comes from one connection to another until it ends, and tells that one so. The second
// that is through ends the session.
Script pump(berth_connection* c, berth_connection* from, berth_connection* to, int& left) {
  for (;;) {
    ReadOp read(from);
    co_await read;
    if (read.error != 0 || read.at_end()) break;
    WriteOp write(to, read.data());
    co_await write;
    if (write.error != 0) break;
  }
  to->host->close_write(to);
  if (--left == 0) finish(c);
}

TEST_CASE("a session talks to the server that it connects to") {
  under_each([](Under under) {
    const Fd server = listen_somewhere();
    const std::string url = url_of(server);
    std::string reply, peer, local;
    std::uint64_t id = 0;
    Session session(under, [&](berth_connection* c) -> Script {
      ConnectOp connect(c, url, 10s);
      co_await connect;
      CHECK(connect.error == 0);
      berth_connection* const other = connect.connected();
      WriteOp write(other, "hello");
      co_await write;
      ReadOp read(other);
      co_await read;
      reply = read.data();
      peer = text_of(other->host->peer, other);
      local = text_of(other->host->local, other);
      CHECK(text_of(other->host->scheme, other) == "tcp");
      id = other->host->id(other);
      other->host->log(other, BERTH_INFO, {"asked", 5});
      other->host->close(other);
      finish(c);
    });
    std::string seen;
    session.run([&](const Fd&) {
      const Fd accepted = accept_from(server);
      sockaddr_storage from{};
      socklen_t length = sizeof from;
      ::getpeername(accepted.get(), reinterpret_cast<sockaddr*>(&from), &length);
      seen = SocketAddress(reinterpret_cast<sockaddr*>(&from), length).text();
      CHECK(receive(accepted, 5) == "hello");
      CHECK(send_all(accepted, "world"));
      CHECK(receive_until_end(accepted) == "");
    });
    CHECK(reply == "world");
    CHECK("tcp://" + peer == url);
    CHECK(local == seen);
    CHECK(id == 17);
    CHECK(session.log.text().find("connection 17 from unknown: asked") != std::string::npos);
    CHECK(session.report.end == SessionEnd::handler);
    CHECK(session.report.bytes_in + session.report.bytes_out == 0);
  });
}

TEST_CASE("bytes pass both ways at once between a client and the server behind a session") {
  under_each([](Under under) {
    const Fd server = listen_somewhere();
    const std::string url = url_of(server);
    int left = 2;
    Session session(
        under,
        [&](berth_connection* c) -> Script {
          ConnectOp connect(c, url);
          co_await connect;
          REQUIRE(connect.error == 0);
          pump(c, c, connect.connected(), left);
          pump(c, connect.connected(), c, left);
        },
        tcp_pair());
    const std::string much(3'000'000, 'x'), more(5'000'000, 'y');
    std::string got, answer;
    session.run([&](const Fd& client) {
      std::thread behind([&] {
        const Fd accepted = accept_from(server);
        std::thread sending([&] {
          CHECK(send_all(accepted, more));
          ::shutdown(accepted.get(), SHUT_WR);
        });
        got = receive_until_end(accepted);
        sending.join();
      });
      std::thread sending([&] {
        CHECK(send_all(client, much));
        ::shutdown(client.get(), SHUT_WR);
      });
      answer = receive_until_end(client);
      sending.join();
      behind.join();
    });
    CHECK(got == much);
    CHECK(answer == more);
    CHECK(session.report.end == SessionEnd::client);
    CHECK(session.report.bytes_in == much.size());
    CHECK(session.report.bytes_out == more.size());
  });
}

TEST_CASE("a socket that a handler has becomes a connection") {
  under_each([](Under under) {
    Pair pair = unix_pair();
    int left = 2;
    Session session(under, [&](berth_connection* c) -> Script {
      berth_connection* const other = adopt(c, std::move(pair.served));
      CHECK(text_of(other->host->scheme, other) == "unix");
      pump(c, c, other, left);
      pump(c, other, c, left);
      co_return;
    });
    session.run([&](const Fd& client) {
      CHECK(send_all(client, "hello"));
      CHECK(receive(pair.client, 5) == "hello");
      CHECK(send_all(pair.client, "world"));
      CHECK(receive(client, 5) == "world");
      pair.client.reset();
      CHECK(receive_until_end(client) == "");
    });
    CHECK(session.report.end == SessionEnd::client);
  });
}

TEST_CASE("a descriptor that is no connected stream is closed, and the reason told") {
  under_each([](Under under) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0);
    const Fd other_end(ends[1]);
    const int event = ::eventfd(0, EFD_CLOEXEC);
    const int listening = listen_somewhere().release();
    Session session(under, [&](berth_connection* c) -> Script {
      berth_connection* adopted = nullptr;
      CHECK(c->host->adopt(c, ends[0], &adopted) == EPROTOTYPE);
      CHECK(c->host->adopt(c, event, &adopted) == ENOTSOCK);
      CHECK(c->host->adopt(c, listening, &adopted) == ENOTCONN);
      CHECK(c->host->adopt(c, -1, &adopted) == EBADF);
      CHECK(adopted == nullptr);
      for (const int descriptor : {ends[0], event, listening}) CHECK_FALSE(is_open(descriptor));
      finish(c);
      co_return;
    });
    session.run([](const Fd&) {});
    CHECK(session.report.end == SessionEnd::handler);
  });
}

TEST_CASE("after the end of its writes a connection is still read from, and written to no more") {
  under_each([](Under under) {
    for (const bool the_served_one : {true, false}) {
      CAPTURE(the_served_one);
      Pair pair = unix_pair();
      std::string got;
      int error = 0;
      Session session(under, [&](berth_connection* c) -> Script {
        berth_connection* const other = adopt(c, std::move(pair.served));
        berth_connection* const half = the_served_one ? c : other;
        WriteOp write(half, "question");
        co_await write;
        half->host->close_write(half);
        half->host->close_write(half);
        WriteOp late(half, "more");
        co_await late;
        error = late.error;
        ReadOp read(half);
        co_await read;
        got = read.data();
        finish(c);
      });
      session.run([&](const Fd& client) {
        const Fd& asked = the_served_one ? client : pair.client;
        CHECK(receive_until_end(asked) == "question");
        CHECK(send_all(asked, "answer"));
      });
      CHECK(error == EPIPE);
      CHECK(got == "answer");
      CHECK(session.report.end == SessionEnd::handler);
    }
  });
}

TEST_CASE("a session that has ended its writes still lets its client have them all") {
  under_each([](Under under) {
    const std::string much(3'000'000, 'x');
    Session session(
        under,
        [&](berth_connection* c) -> Script {
          ReadOp read(c);
          co_await read;
          WriteOp write(c, much);
          co_await write;
          c->host->close_write(c);
          finish(c);
        },
        tcp_pair());
    session.run([&](const Fd& client) {
      // Input that nobody reads: closed at once, the socket would reset what is on its way.
      CHECK(send_all(client, std::string(200'000, 'y')));
      CHECK(receive_until_end(client) == much);
    });
    CHECK(session.report.end == SessionEnd::handler);
  });
}

TEST_CASE("one connection's call may close another that is just as ready") {
  under_each([](Under under) {
    Pair one = unix_pair(), two = unix_pair();
    Session session(under, [&](berth_connection* c) -> Script {
      berth_connection* const first = adopt(c, std::move(one.served));
      berth_connection* const second = adopt(c, std::move(two.served));
      ReadOp read(first);
      co_await read;
      second->host->close(second);
      first->host->close(first);
      finish(c);
    });
    CHECK(send_all(one.client, "x"));
    CHECK(send_all(two.client, "y"));
    CHECK(session.run([](const Fd&) {}).end == SessionEnd::handler);
  });
}

TEST_CASE("select refuses a connection whose number it cannot watch") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit enough = before;
  enough.rlim_cur = std::min<rlim_t>(FD_SETSIZE + 64, before.rlim_max);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &enough) == 0);
  Pair pair = unix_pair();
  const int high = ::fcntl(pair.served.get(), F_DUPFD_CLOEXEC, FD_SETSIZE);
  REQUIRE(high >= FD_SETSIZE);
  pair.served.reset();
  Session session(make_demultiplexer<SelectDemultiplexer>, [&](berth_connection* c) -> Script {
    berth_connection* adopted = nullptr;
    CHECK(c->host->adopt(c, high, &adopted) == ENOSPC);
    WriteOp write(c, "still here");
    co_await write;
    finish(c);
  });
  session.run([](const Fd& client) { CHECK(receive(client, 10) == "still here"); });
  CHECK(receive_until_end(pair.client) == "");
  CHECK(session.log.text().find("only those under 1024 can be watched") != std::string::npos);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace berth
