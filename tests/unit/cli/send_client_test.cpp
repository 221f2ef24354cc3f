#include "cli/send_client.hpp"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "net/socket.hpp"

namespace {

using berth::Duration;
using berth::Fd;
using berth::SendClient;
using berth::SendPlan;
using berth::SocketAddress;
using berth::TimePoint;
using std::chrono::milliseconds;
using std::chrono::seconds;

SocketAddress any_port() { return berth::resolve({berth::Scheme::tcp, "127.0.0.1", 0}).value()[0]; }

Fd listening_socket() {
  auto socket = berth::listen_on(any_port(), 8);
  REQUIRE(socket);
  return std::move(socket.value());
}

SendPlan plan_for(std::vector<std::string> words) {
  SendPlan plan;
  plan.target = "tcp://test:1";
  plan.words = std::move(words);
  return plan;
}

// A client and the server it talks to, on one thread. The time is what the test says it is.
class Stage {
 public:
  explicit Stage(SendPlan plan) : plan_(std::move(plan)) {
    plan_.addresses.push_back(berth::local_address(listening_.get()));
    client.start(now);
    until([this] { return client.interest().events != POLLOUT; });
    peer = Fd(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(peer);
  }

  // Lets the client do one thing that it waits for.
  void step() {
    pollfd interest = client.interest();
    REQUIRE(poll(&interest, 1, 10'000) == 1);
    client.on_ready(now);
  }

  template <class Condition>
  void until(Condition condition) {
    while (!condition()) step();
  }

  void pass_deadline() {
    REQUIRE(client.deadline() != berth::kNever);
    now = client.deadline();
    client.on_deadline(now);
  }

  void server_sends(const std::string& text) {
    REQUIRE(send(peer.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    step();
  }

  // What has reached the server; "" at the end of the stream.
  std::string server_receives() {
    std::string text(1024, '\0');
    const ssize_t count = recv(peer.get(), text.data(), text.size(), 0);
    REQUIRE(count >= 0);
    text.resize(static_cast<std::size_t>(count));
    return text;
  }

  bool server_has_nothing_to_receive() const {
    char byte = 0;
    return recv(peer.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }

 private:
  Fd listening_ = listening_socket();
  SendPlan plan_;

 public:
  TimePoint now = TimePoint{} + seconds(1'000'000);
  std::vector<std::string> replies;
  SendClient client{plan_, [this](std::string_view reply) { replies.emplace_back(reply); }};
  Fd peer;
};

using Replies = std::vector<std::string>;

TEST_CASE("a word is sent when the one before it was answered") {
  Stage stage(plan_for({"spam", "eggs"}));
  CHECK(stage.server_receives() == "spam");
  stage.server_sends("Echo=>spam");
  CHECK(stage.server_has_nothing_to_receive());
  stage.pass_deadline();
  CHECK(stage.replies == Replies{"Echo=>spam"});
  CHECK(stage.server_receives() == "eggs");
  CHECK(stage.client.answered() == 1);
}

TEST_CASE("a reply that comes in pieces is one reply") {
  Stage stage(plan_for({"hello", "more"}));
  stage.server_sends("Ech");
  const TimePoint first = stage.now;
  CHECK(stage.client.deadline() == first + seconds(1));
  stage.now += milliseconds(900);
  stage.server_sends("o=>hello");
  CHECK(stage.client.deadline() > stage.now);
  stage.now += milliseconds(40);
  stage.server_sends(" at noon");
  CHECK(stage.client.deadline() >= stage.now + milliseconds(50));
  CHECK(stage.client.deadline() < stage.now + seconds(1));
  stage.pass_deadline();
  CHECK(stage.replies == Replies{"Echo=>hello at noon"});
}

TEST_CASE("a reply shorter than its word is complete after a second of silence") {
  Stage stage(plan_for({"hello", "more"}));
  stage.server_sends("ok");
  CHECK(stage.client.deadline() == stage.now + seconds(1));
  stage.pass_deadline();
  CHECK(stage.replies == Replies{"ok"});
  CHECK(stage.client.answered() == 1);
}

TEST_CASE("the last reply is complete when the server has closed, without waiting") {
  Stage stage(plan_for({"hi"}));
  CHECK(stage.server_receives() == "hi");
  stage.server_sends("Echo=>hi");
  CHECK(stage.server_receives() == "");
  CHECK(stage.replies.empty());
  stage.peer.reset();
  stage.step();
  CHECK(stage.client.finished());
  CHECK(stage.replies == Replies{"Echo=>hi"});
  CHECK(stage.client.failure() == "");
}

TEST_CASE("what comes after the last reply is handed on as well") {
  Stage stage(plan_for({"hi"}));
  stage.server_sends("Echo=>hi");
  stage.pass_deadline();
  CHECK_FALSE(stage.client.finished());
  stage.server_sends("bye");
  stage.pass_deadline();
  stage.server_sends("really");
  stage.peer.reset();
  stage.step();
  CHECK(stage.replies == Replies{"Echo=>hi", "bye", "really"});
  CHECK(stage.client.finished());
  CHECK(stage.client.failure() == "");
}

TEST_CASE("a server that does not close after the last reply fails nobody") {
  Stage stage(plan_for({"hi"}));
  stage.server_sends("Echo=>hi");
  stage.pass_deadline();
  CHECK(stage.client.deadline() == stage.now + seconds(30));
  stage.pass_deadline();
  CHECK(stage.client.finished());
  CHECK(stage.client.failure() == "");
}

TEST_CASE("a server that stays silent fails the client at the timeout") {
  SendPlan plan = plan_for({"a", "b"});
  plan.timeout = milliseconds(1500);
  Stage stage(plan);
  stage.server_sends("Echo=>a");
  stage.pass_deadline();
  CHECK(stage.client.deadline() == stage.now + milliseconds(1500));
  stage.pass_deadline();
  CHECK(stage.client.finished());
  CHECK(stage.client.failure() == "no reply from tcp://test:1 within 1.5s (1 of 2 words answered)");
}

TEST_CASE("a server that never falls silent is cut off at the timeout") {
  Stage stage(plan_for({"a", "b"}));
  const TimePoint start = stage.now;
  stage.server_sends("talk");
  while (stage.client.deadline() > stage.now + milliseconds(20)) {
    stage.now += milliseconds(20);
    stage.server_sends("talk");
  }
  CHECK(stage.client.deadline() == start + seconds(30));
  stage.pass_deadline();
  CHECK(stage.client.answered() == 1);
}

TEST_CASE("a server that closes too early is told, and what it said is not lost") {
  Stage stage(plan_for({"a", "b", "c"}));
  CHECK(stage.server_receives() == "a");
  stage.server_sends("Echo=>a");
  stage.peer.reset();
  stage.step();
  CHECK(stage.replies == Replies{"Echo=>a"});
  CHECK(stage.client.failure() == "tcp://test:1 closed the connection (1 of 3 words answered)");
}

TEST_CASE("a reset connection is told with the system's words") {
  Stage stage(plan_for({"a"}));
  const linger at_once{1, 0};
  REQUIRE(setsockopt(stage.peer.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
  stage.peer.reset();
  stage.step();
  CHECK(stage.client.finished());
  CHECK(stage.client.failure() == "lost the connection to tcp://test:1: Connection reset by peer");
}

TEST_CASE("a word that the server does not take in is told, and harms nobody when it does") {
  const std::string word(32 << 20, 'x');
  Stage stage(plan_for({word}));
  // Without a reader the client fills both ends' buffers, then has to wait.
  pollfd interest = stage.client.interest();
  while (poll(&interest, 1, 0) == 1) stage.client.on_ready(stage.now);
  CHECK(stage.client.interest().events == (POLLIN | POLLOUT));
  CHECK(stage.client.deadline() == stage.now + seconds(30));

  SUBCASE("not taken") {
    stage.pass_deadline();
    CHECK(stage.client.failure().starts_with("tcp://test:1 took no more than "));
    CHECK(stage.client.failure().ends_with(" of a word's 33554432 bytes within 30s"));
  }
  SUBCASE("taken") {
    std::size_t received = 0;
    std::vector<char> buffer(1 << 20);
    while (received < word.size()) {
      interest = stage.client.interest();
      if (poll(&interest, 1, 0) == 1) stage.client.on_ready(stage.now);
      const ssize_t count = recv(stage.peer.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (count > 0) received += static_cast<std::size_t>(count);
    }
    CHECK(stage.client.interest().events == POLLIN);
  }
}

TEST_CASE("a reply that goes on past all reason ends the client, not its memory") {
  Stage stage(plan_for({"a", "b"}));
  const std::string piece(65536, 'x');
  while (!stage.client.finished()) {
    (void)send(stage.peer.get(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    stage.step();
  }
  CHECK(stage.client.failure() ==
        "a reply of tcp://test:1 goes on past 64 MiB (0 of 2 words answered)");
}

// An address that nothing listens on: it was bound a moment ago, and is free again.
SocketAddress unused_address() { return berth::local_address(listening_socket().get()); }

TEST_CASE("an address that refuses gives way to the next") {
  SendPlan plan = plan_for({"a"});
  plan.addresses.push_back(unused_address());
  Stage stage(plan);
  CHECK(stage.server_receives() == "a");
}

TEST_CASE("where every address refuses, the error says what to do") {
  SendPlan plan = plan_for({"a"});
  plan.addresses = {unused_address()};
  SendClient client(plan, [](std::string_view) {});
  const TimePoint now = TimePoint{} + seconds(1);
  client.start(now);
  pollfd interest = client.interest();
  if (!client.finished() && poll(&interest, 1, 10'000) == 1) client.on_ready(now);
  CHECK(client.finished());
  CHECK(client.failure() ==
        "cannot connect to tcp://test:1: Connection refused (nothing listens there; is `berth run` "
        "running?)");
}

TEST_CASE("addresses that do not answer share the timeout") {
  // The queue of this socket is full after one connection; further SYNs are dropped silently.
  const auto full = berth::listen_on(any_port(), 0);
  REQUIRE(full);
  const SocketAddress address = berth::local_address(full.value().get());
  const Fd first(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(connect(first.get(), address.get(), address.size()) == 0);

  SendPlan plan = plan_for({"a"});
  plan.addresses = {address, address};
  SendClient client(plan, [](std::string_view) {});
  const TimePoint start = TimePoint{} + seconds(1);
  client.start(start);
  CHECK(client.deadline() == start + seconds(15));
  client.on_deadline(client.deadline());
  CHECK(client.deadline() == start + seconds(30));
  client.on_deadline(client.deadline());
  CHECK(client.finished());
  CHECK(client.failure() ==
        "cannot connect to tcp://test:1: Connection timed out (no answer at all: is the address "
        "right, does a firewall drop it?)");
}

// A client that sends datagrams, and the socket that it sends them to.
class DatagramStage {
 public:
  explicit DatagramStage(std::vector<std::string> words) : plan_(plan_for(std::move(words))) {
    plan_.target = "udp://test:1";
    plan_.addresses.push_back(berth::local_address(peer.get()));
    client.start(now);
  }
  std::string server_receives() {
    std::string text(1024, '\0');
    socklen_t length = sizeof from_;
    const ssize_t count = recvfrom(peer.get(), text.data(), text.size(), 0,
                                   reinterpret_cast<sockaddr*>(&from_), &length);
    REQUIRE(count >= 0);
    text.resize(static_cast<std::size_t>(count));
    return text;
  }
  void server_sends(const std::string& text) {
    REQUIRE(sendto(peer.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&from_),
                   sizeof from_) >= 0);
    step();
  }
  void step() {
    pollfd interest = client.interest();
    REQUIRE(poll(&interest, 1, 10'000) == 1);
    client.on_ready(now);
  }

  Fd peer = std::move(
      berth::listen_on(berth::resolve({berth::Scheme::udp, "127.0.0.1", 0}).value()[0], 0).value());

 private:
  SendPlan plan_;
  sockaddr_in from_{};

 public:
  TimePoint now = TimePoint{} + seconds(1'000'000);
  Replies replies;
  SendClient client{plan_, [this](std::string_view reply) { replies.emplace_back(reply); }};
};

TEST_CASE("each datagram is a word, and each that comes back a reply, also an empty one") {
  DatagramStage stage({"spam", "", "eggs"});
  CHECK(stage.server_receives() == "spam");
  stage.server_sends("a");
  CHECK(stage.server_receives() == "");
  stage.server_sends("");
  CHECK(stage.server_receives() == "eggs");
  stage.server_sends("much longer than the word was");
  CHECK(stage.client.finished());
  CHECK(stage.client.failure().empty());
  CHECK(stage.replies == Replies{"a", "", "much longer than the word was"});
}

TEST_CASE("a datagram that is not answered in time is told as lost") {
  DatagramStage stage({"spam", "eggs"});
  CHECK(stage.server_receives() == "spam");
  stage.server_sends("a");
  CHECK(stage.client.deadline() == stage.now + seconds(30));
  stage.client.on_deadline(stage.client.deadline());
  CHECK(stage.client.finished());
  CHECK(stage.client.failure() ==
        "no reply from udp://test:1 within 30s (1 of 2 words answered) (a datagram may be lost on "
        "its way, and so may its answer: try again; the host's log tells which ones it got)");
}

TEST_CASE("that nobody takes datagrams is told when the first was sent") {
  SendPlan plan = plan_for({"spam"});
  plan.target = "udp://test:1";
  const SocketAddress any = berth::resolve({berth::Scheme::udp, "127.0.0.1", 0}).value()[0];
  plan.addresses = {berth::local_address(berth::listen_on(any, 0).value().get())};
  SendClient client(plan, [](std::string_view) {});
  const TimePoint now = TimePoint{} + seconds(1'000'000);
  client.start(now);
  while (!client.finished()) {
    pollfd interest = client.interest();
    REQUIRE(poll(&interest, 1, 10'000) == 1);
    client.on_ready(now);
  }
  CHECK(client.failure() ==
        "cannot connect to udp://test:1: Connection refused (nothing listens there; is `berth run` "
        "running?)");
}

}  // namespace
