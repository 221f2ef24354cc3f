#include "serve/datagram_outbox.hpp"

#include <doctest/doctest.h>
#include <poll.h>

#include <cerrno>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "serve/datagrams.hpp"
#include "serve/epoll_demultiplexer.hpp"
#include "serve/stream.hpp"

namespace berth {
namespace {

using namespace berth::testing;

// A datagram of this text, to a socket.
struct Letter final : OutgoingDatagram {
  Letter(std::string content, int to) : text(std::move(content)), address(local_address(to)) {
    piece = {text.data(), text.size()};
    message.msg_name = const_cast<sockaddr*>(address.get());
    message.msg_namelen = address.size();
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
  }
  void on_gone(ssize_t gone) override {
    result = gone;
    then();
  }

  std::string text;
  SocketAddress address;
  iovec piece{};
  ssize_t result = kNotYet;
  std::function<void()> then = [] {};
};

struct Rig {
  explicit Rig(Fd socket)
      : loop(std::make_unique<EpollDemultiplexer>()),
        from(std::make_shared<DatagramSocket>(std::move(socket), &loop)) {}
  Letter& send(const std::string& text, const Fd& to) {
    Letter& letter = letters.emplace_back(text, to.get());
    from->outbox()->send(letter);
    return letter;
  }
  void turn() {
    CallTimer end(loop.timers(), [this] { loop.stop(); });
    end.arm(Clock::now());
    loop.run();
  }

  EventLoop loop;
  std::deque<Letter> letters;
  std::shared_ptr<DatagramSocket> from;
};

TEST_CASE("what is sent in a turn goes out at its end, in order, and everybody is told") {
  Rig rig(udp_socket());
  const Fd to = udp_socket();
  constexpr int kMany = 150;  // more than one call sends
  for (int i = 0; i < kMany; ++i) rig.send(std::to_string(i), to);
  CHECK_FALSE(has_datagram(to));
  rig.turn();
  for (int i = 0; i < kMany; ++i) {
    CHECK(next_datagram(to) == std::to_string(i));
    CHECK(rig.letters[static_cast<std::size_t>(i)].result ==
          static_cast<ssize_t>(std::to_string(i).size()));
  }
}

TEST_CASE("one that fails is told so, and the others go out") {
  Rig rig(udp_socket());
  const Fd to = udp_socket();
  Letter& first = rig.send("first", to);
  Letter& wrong = rig.send(std::string(65'508, 'x'), to);
  Letter& last = rig.send("last", to);
  rig.turn();
  CHECK(first.result == 5);
  CHECK(wrong.result == -EMSGSIZE);
  CHECK(last.result == 4);
  CHECK(next_datagram(to) == "first");
  CHECK(next_datagram(to) == "last");
}

TEST_CASE("one that is cancelled is not sent, and not told of") {
  Rig rig(udp_socket());
  const Fd to = udp_socket();
  Letter& first = rig.send("first", to);
  Letter& cancelled = rig.send("cancelled", to);
  Letter& last = rig.send("last", to);
  Letter& late = rig.send("late", to);
  rig.from->outbox()->cancel(cancelled);
  first.then = [&] { rig.from->outbox()->cancel(late); };  // it is out, but nobody cares any more
  rig.turn();
  CHECK(cancelled.result == kNotYet);
  CHECK(late.result == kNotYet);
  CHECK(last.result == 4);
  for (const char* text : {"first", "last", "late"}) CHECK(next_datagram(to) == text);
  CHECK_FALSE(has_datagram(to));
}

TEST_CASE("who is told may send again, in the same turn") {
  Rig rig(udp_socket());
  const Fd to = udp_socket();
  Letter& first = rig.send("first", to);
  first.then = [&] { rig.send("second", to); };
  rig.turn();
  CHECK(next_datagram(to) == "first");
  CHECK(next_datagram(to) == "second");
}

TEST_CASE("a Unix socket whose queue is full keeps nobody else waiting, and is tried again") {
  Rig rig(unix_datagram_socket());
  const Fd full = unix_datagram_socket(), other = unix_datagram_socket();
  const Fd filler = unix_datagram_socket();
  const SocketAddress address = local_address(full.get());
  while (::sendto(filler.get(), "x", 1, MSG_DONTWAIT, address.get(), address.size()) == 1) {
  }
  Letter& waits = rig.send("waits", full);
  Letter& goes = rig.send("goes", other);
  rig.turn();
  CHECK(goes.result == 4);
  CHECK(waits.result == kNotYet);
  while (has_datagram(full)) (void)next_datagram(full);
  waits.then = [&] { rig.loop.stop(); };
  rig.loop.run();
  CHECK(waits.result == 5);
  CHECK(next_datagram(full) == "waits");
}

TEST_CASE("the last who is told may let the socket go") {
  Rig rig(udp_socket());
  const Fd to = udp_socket();
  Letter& last = rig.send("last", to);
  last.then = [&] { rig.from.reset(); };
  rig.turn();
  CHECK(next_datagram(to) == "last");
}

}  // namespace
}  // namespace berth
