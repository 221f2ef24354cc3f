#include "supervise/protocol.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <random>
#include <string>

namespace berth {
namespace {

using namespace std::chrono_literals;

struct Channel {
  Fd supervisor, worker;
  Channel() {
    auto ends = make_channel();
    REQUIRE(ends);
    supervisor = std::move(ends->first);
    worker = std::move(ends->second);
  }
};

// An order without the descriptor that may come with it.
Heard hear(const Channel& channel, Order& got) {
  Fd ignored;
  return next_order(channel.worker.get(), got, ignored);
}

void send_raw(const Fd& from, std::string_view bytes) {
  REQUIRE(::send(from.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
}

TEST_CASE("a channel's ends are non-blocking and not passed on over exec") {
  const Channel channel;
  for (const Fd* end : {&channel.supervisor, &channel.worker}) {
    CHECK((::fcntl(end->get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(end->get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
}

TEST_CASE("reports arrive one by one, in order, with their text") {
  const Channel channel;
  WorkerReport got{};
  CHECK(next_report(channel.supervisor.get(), got) == Heard::nothing);
  report(channel.worker.get(), FromWorker::ready);
  report(channel.worker.get(), FromWorker::alive);
  report(channel.worker.get(), FromWorker::cannot_start, "no luck\nat all");
  for (const auto& [kind, text] :
       {std::pair(FromWorker::ready, ""), std::pair(FromWorker::alive, ""),
        std::pair(FromWorker::cannot_start, "no luck\nat all")}) {
    REQUIRE(next_report(channel.supervisor.get(), got) == Heard::message);
    CHECK(got.kind == kind);
    CHECK(got.text == text);
  }
  CHECK(next_report(channel.supervisor.get(), got) == Heard::nothing);
}

TEST_CASE("a text too long for a message is cut, not lost") {
  const Channel channel;
  report(channel.worker.get(), FromWorker::cannot_start, std::string(5000, 'x'));
  WorkerReport got{};
  REQUIRE(next_report(channel.supervisor.get(), got) == Heard::message);
  CHECK(got.text == std::string(1000, 'x'));
}

TEST_CASE("an order arrives with its deadline") {
  const Channel channel;
  Order got{};
  CHECK(hear(channel, got) == Heard::nothing);
  for (const Duration deadline : {Duration(0), Duration(30s), kUnlimited}) {
    order(channel.supervisor.get(), {ToWorker::drain, deadline});
    REQUIRE(hear(channel, got) == Heard::message);
    CHECK(got.kind == ToWorker::drain);
    CHECK(got.deadline == deadline);
  }
  CHECK(hear(channel, got) == Heard::nothing);
}

TEST_CASE("a log arrives as a descriptor of the same file, not passed on over exec") {
  const Channel channel;
  const Fd file(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  order_log(channel.supervisor.get(), file.get());
  order(channel.supervisor.get(), {ToWorker::drain, 1s});
  Order got{};
  Fd log;
  REQUIRE(next_order(channel.worker.get(), got, log) == Heard::message);
  CHECK(got.kind == ToWorker::log);
  struct stat sent {};
  struct stat received {};
  REQUIRE(::fstat(file.get(), &sent) == 0);
  REQUIRE(::fstat(log.get(), &received) == 0);
  CHECK(sent.st_ino == received.st_ino);
  CHECK((::fcntl(log.get(), F_GETFD) & FD_CLOEXEC) != 0);
  REQUIRE(next_order(channel.worker.get(), got, log) == Heard::message);
  CHECK(got.kind == ToWorker::drain);
  CHECK_FALSE(log);
}

TEST_CASE("each kind of order arrives as what it is") {
  const Channel channel;
  for (const ToWorker kind : {ToWorker::serve, ToWorker::drain, ToWorker::hand_over}) {
    order(channel.supervisor.get(), {kind});
    Order got{};
    Fd log;
    REQUIRE(next_order(channel.worker.get(), got, log) == Heard::message);
    CHECK(got.kind == kind);
  }
}

TEST_CASE("the worker hears what was ordered before it hears that the supervisor is gone") {
  Channel channel;
  order(channel.supervisor.get(), {ToWorker::drain, 1s});
  channel.supervisor.reset();
  Order got{};
  CHECK(hear(channel, got) == Heard::message);
  CHECK(hear(channel, got) == Heard::other_side_gone);
  CHECK(hear(channel, got) == Heard::other_side_gone);
}

TEST_CASE("garbage from a worker is dropped, and the message behind it is understood") {
  const Channel channel;
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 1000; ++round) {
    std::string garbage(1 + random() % 3000, '\0');
    for (char& byte : garbage) byte = static_cast<char>(random());
    const bool known = garbage[0] == 'R' || garbage[0] == 'A' || garbage[0] == 'X';
    send_raw(channel.worker, garbage);
    report(channel.worker.get(), FromWorker::alive);
    WorkerReport got{};
    REQUIRE(next_report(channel.supervisor.get(), got) == Heard::message);
    CHECK(got.text.size() <= 1000);
    if (known) REQUIRE(next_report(channel.supervisor.get(), got) == Heard::message);
    CHECK(got.kind == FromWorker::alive);
  }
}

TEST_CASE("the supervisor hears that a worker has closed its end, after what it said before") {
  Channel channel;
  report(channel.worker.get(), FromWorker::ready);
  channel.worker.reset();
  WorkerReport got{};
  CHECK(next_report(channel.supervisor.get(), got) == Heard::message);
  CHECK(next_report(channel.supervisor.get(), got) == Heard::other_side_gone);
}

TEST_CASE("an order of another length is none") {
  const Channel channel;
  Order got{};
  for (const std::size_t length : {1, 2, 8}) {
    send_raw(channel.supervisor, std::string(length, 'D'));
    CHECK(hear(channel, got) == Heard::nothing);
  }
}

TEST_CASE("an order of a kind that is not known is dropped, and the one behind it is understood") {
  const Channel channel;
  send_raw(channel.supervisor, "Z--------");
  order(channel.supervisor.get(), {ToWorker::drain, 1s});
  Order got{};
  Fd log;
  REQUIRE(next_order(channel.worker.get(), got, log) == Heard::message);
  CHECK(got.kind == ToWorker::drain);
  CHECK(next_order(channel.worker.get(), got, log) == Heard::nothing);
}

TEST_CASE("speaking to nobody, or to someone who does not listen, does no harm") {
  Channel channel;
  for (int i = 0; i < 10'000; ++i) report(channel.worker.get(), FromWorker::alive);
  WorkerReport got{};
  CHECK(next_report(channel.supervisor.get(), got) == Heard::message);
  channel.supervisor.reset();
  report(channel.worker.get(), FromWorker::alive);
  channel.worker.reset();
  order(channel.worker.get(), {ToWorker::drain, 1s});
}

}  // namespace
}  // namespace berth
