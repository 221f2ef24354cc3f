// A datagram as a session, under each way of serving.
#include "serve/datagram_layer.hpp"

#include <doctest/doctest.h>
#include <poll.h>

#include <cerrno>
#include <string>
#include <vector>

#include "serve/datagrams.hpp"
#include "serve/session_rig.hpp"

namespace berth {
namespace {

using namespace berth::testing;

// A session about a datagram of this text.
class DatagramSession {
 public:
  DatagramSession(Session::Under under, Serve serve, std::string text, Fd served = udp_socket(),
                  Fd from = udp_socket())
      : client(std::move(from)), session(under, std::move(serve), {}), served_(std::move(served)) {
    session.prepare = [this, text = std::move(text)](AcceptedConnection& accepted,
                                                     EventLoop* loop) {
      accepted.scheme =
          local_address(served_.get()).is_unix() ? Scheme::unix_datagram : Scheme::udp;
      accepted.datagram = arrived_datagram(
          client, std::make_shared<DatagramSocket>(std::move(served_), loop), text);
    };
  }
  const SessionReport& run() {
    return session.run([](const Fd&) {});
  }

  Fd client;
  Session session;

 private:
  Fd served_;
};

// Reads to the end, with reads that a drain may end or not.
Serve read_all(std::vector<std::string>& into, bool ends_on_stop) {
  return [&into, ends_on_stop](berth_connection* c) -> Script {
    for (;;) {
      ReadOp next(c, {}, ends_on_stop);
      co_await next;
      REQUIRE(next.error == 0);
      if (next.at_end()) break;
      into.emplace_back(next.data());
    }
    finish(c);
  };
}

TEST_CASE("a datagram is read once, and then the stream ends") {
  under_each([](Session::Under under) {
    std::vector<std::string> read;
    DatagramSession it(under, read_all(read, false), "hello");
    const SessionReport& report = it.run();
    CHECK(read == std::vector<std::string>{"hello"});
    CHECK(report.end == SessionEnd::handler);
    CHECK(report.bytes_in == 5);
  });
}

TEST_CASE("a datagram that has come is read also where a drain ends reads") {
  under_each([](Session::Under under) {
    std::vector<std::string> read;
    DatagramSession it(under, read_all(read, true), "hello");
    it.session.context.stop.drain();
    CHECK(it.run().end == SessionEnd::handler);
    CHECK(read == std::vector<std::string>{"hello"});
  });
}

TEST_CASE("an empty datagram is a message, and may be answered with another") {
  under_each([](Session::Under under) {
    DatagramSession it(under, echo, "");
    CHECK(it.run().end == SessionEnd::handler);
    CHECK(has_datagram(it.client));
    CHECK(next_datagram(it.client) == "");
    CHECK_FALSE(has_datagram(it.client));
  });
}

TEST_CASE("each write is a datagram, however many its parts") {
  under_each([](Session::Under under) {
    static const std::string digits = "0123456789";
    DatagramSession it(
        under,
        [](berth_connection* c) -> Script {
          for (const std::size_t count : {1u, 3u, 9u, 100u, 2000u}) {
            std::vector<berth_bytes> parts(count);
            for (std::size_t i = 0; i < count; ++i)
              parts[i] = {&digits[i % 10], i % 7 != 3 ? 1u : 0u};
            WriteOp write(c, parts.data(), parts.size());
            co_await write;
            CHECK(write.error == 0);
          }
          finish(c);
        },
        "x");
    CHECK(it.run().end == SessionEnd::handler);
    for (const std::size_t count : {1u, 3u, 9u, 100u, 2000u}) {
      std::string whole;
      for (std::size_t i = 0; i < count; ++i) {
        if (i % 7 != 3) whole += digits[i % 10];
      }
      CHECK(next_datagram(it.client) == whole);
    }
    CHECK_FALSE(has_datagram(it.client));
  });
}

TEST_CASE("the longest datagram goes out, and a longer one is an error") {
  under_each([](Session::Under under) {
    int error = 0;
    DatagramSession it(
        under,
        [&](berth_connection* c) -> Script {
          const std::string longest(kLongestDatagram, 'x');
          WriteOp fits(c, longest);
          co_await fits;
          CHECK(fits.error == 0);
          const std::string longer = longest + "x";
          WriteOp too_long(c, longer);
          co_await too_long;
          error = too_long.error;
          finish(c, BERTH_LOST);
        },
        "x");
    CHECK(it.run().end == SessionEnd::lost);
    CHECK(error == EMSGSIZE);
    CHECK(next_datagram(it.client).size() == kLongestDatagram);
  });
}

TEST_CASE("who has no name cannot be answered") {
  under_each([](Session::Under under) {
    Fd nameless(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    DatagramSession it(under, echo, "hello", unix_datagram_socket(), std::move(nameless));
    const SessionReport& report = it.run();
    CHECK(report.end == SessionEnd::lost);
    CHECK(report.error == ENOTCONN);
  });
}

// So that its next datagram must wait; the count.
int fill(const Fd& socket) {
  const Fd filler = unix_datagram_socket();
  const SocketAddress address = local_address(socket.get());
  int count = 0;
  while (::sendto(filler.get(), "x", 1, MSG_DONTWAIT, address.get(), address.size()) == 1) ++count;
  return count;
}

TEST_CASE("an answer waits while its receiver's queue is full") {
  under_each([](Session::Under under) {
    DatagramSession it(under, echo, "hello", unix_datagram_socket(), unix_datagram_socket());
    const int count = fill(it.client);
    const SessionReport& report = it.session.run([&](const Fd&) {
      for (int i = 0; i < count; ++i) CHECK(next_datagram(it.client) == "x");
      CHECK(next_datagram(it.client) == "hello");
    });
    CHECK(report.end == SessionEnd::handler);
  });
}

TEST_CASE("a session that is cancelled does not wait for its receiver") {
  under_each([](Session::Under under) {
    DatagramSession it(under, echo, "hello", unix_datagram_socket(), unix_datagram_socket());
    (void)fill(it.client);
    const SessionReport& report = it.session.run([&](const Fd&) { it.session.cancel(); });
    CHECK(report.end == SessionEnd::lost);
    CHECK(report.error == ECANCELED);
  });
}

}  // namespace
}  // namespace berth
