// One table of cases for the streams of every demultiplexer.
#include "serve/stream.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "serve/loops.hpp"
#include "serve/pairs.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using testing::Pair;
using testing::send_all;

// A stream and its demultiplexer; what is received is kept, and a send is carried on to its end.
struct Rig final : Stream {
  explicit Rig(Demultiplexer& with, Pair of = testing::tcp_pair())
      : Stream(of.served.get()), demultiplexer(with), pair(std::move(of)) {
    REQUIRE(demultiplexer.add(*this));
  }
  ~Rig() { remove(); }
  void remove() {
    if (std::exchange(there, false)) demultiplexer.remove(*this);
  }

  void on_input() override {
    ++calls;
    then();
  }
  void on_sent(ssize_t result) override {
    ++sent_calls;
    sent_result = result;
    if (result < 0) return;
    sent += static_cast<std::size_t>(result);
    send_rest();
  }
  // Receives as long as there is something; false at the end of the stream or at an error.
  bool receive_all() {
    for (;;) {
      Lent bytes;
      last = demultiplexer.receive(*this, bytes);
      if (last == kNotYet) return true;
      if (last <= 0) return false;
      input.append(bytes.get(), static_cast<std::size_t>(last));
    }
  }
  void send_rest() {
    while (sent < output.size()) {
      const berth_bytes piece{output.data() + sent, output.size() - sent};
      const ssize_t result = demultiplexer.send(*this, {&piece, 1});
      if (result == kNotYet) return;
      sent_result = result;
      if (result < 0) return;
      sent += static_cast<std::size_t>(result);
    }
  }
  void turn(Duration timeout = 10s) {
    demultiplexer.wait(timeout);
    demultiplexer.dispatch();
  }
  void turn_until(const std::function<bool()>& reached) {
    while (!reached()) turn();
  }

  Demultiplexer& demultiplexer;
  Pair pair;
  bool there = true;
  std::function<void()> then = [] {};
  int calls = 0, sent_calls = 0;
  std::string input;
  ssize_t last = kNotYet;
  std::string output;
  std::size_t sent = 0;
  ssize_t sent_result = 0;
};

void run_for_each(void (*check)(Demultiplexer&)) {
  testing::in_each_loop([check](testing::MakeDemultiplexer make) { check(*make()); });
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251);
  return text;
}

TEST_CASE("what comes in is received in order, and then the end") {
  run_for_each([](Demultiplexer& demultiplexer) {
    Rig rig(demultiplexer);
    REQUIRE(rig.receive_all());
    rig.then = [&] { rig.receive_all(); };
    REQUIRE(send_all(rig.pair.client, "one"));
    rig.turn_until([&] { return rig.input == "one"; });
    CHECK(rig.last == kNotYet);
    REQUIRE(send_all(rig.pair.client, "two"));
    rig.turn_until([&] { return rig.input == "onetwo"; });
    rig.pair.client.reset();
    rig.turn_until([&] { return rig.last == 0; });
  });
}

TEST_CASE("the last bytes and the end may come as one event") {
  run_for_each([](Demultiplexer& demultiplexer) {
    Rig rig(demultiplexer);
    REQUIRE(rig.receive_all());
    rig.then = [&] { rig.receive_all(); };
    REQUIRE(send_all(rig.pair.client, "bye"));
    rig.pair.client.reset();
    rig.turn_until([&] { return rig.last == 0; });
    CHECK(rig.input == "bye");
  });
}

TEST_CASE("what comes behind an urgent byte is received without a further event") {
  run_for_each([](Demultiplexer& demultiplexer) {
    Rig rig(demultiplexer);
    REQUIRE(rig.receive_all());
    rig.then = [&] { rig.receive_all(); };
    rig.turn(Duration::zero());
    REQUIRE(send_all(rig.pair.client, "before"));
    REQUIRE(::send(rig.pair.client.get(), "!", 1, MSG_OOB) == 1);
    REQUIRE(send_all(rig.pair.client, "behind"));
    rig.turn_until([&] { return rig.input == "beforebehind"; });
  });
}

TEST_CASE("a reset is an error of the stream") {
  run_for_each([](Demultiplexer& demultiplexer) {
    Rig rig(demultiplexer);
    REQUIRE(rig.receive_all());
    rig.then = [&] { rig.receive_all(); };
    const linger at_once{1, 0};
    REQUIRE(::setsockopt(rig.pair.client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) ==
            0);
    rig.pair.client.reset();
    rig.turn_until([&] { return rig.last == -ECONNRESET; });
  });
}

TEST_CASE("what comes in while nobody asks waits, holds its sender up, and loses no byte") {
  run_for_each([](Demultiplexer& demultiplexer) {
    Rig rig(demultiplexer);
    REQUIRE(rig.receive_all());
    const std::string all = pattern(30'000'000);
    bool all_sent = false;
    std::thread client([&] {
      all_sent = send_all(rig.pair.client, all);
      rig.pair.client.reset();
    });
    // However often it is called, it does not receive.
    rig.turn_until([&] { return rig.calls > 0; });
    for (int turns = 0; turns < 50; ++turns) rig.turn(1ms);
    rig.then = [&] { rig.receive_all(); };
    rig.receive_all();
    CHECK(rig.input.size() < all.size() / 2);
    rig.turn_until([&] { return rig.last == 0; });
    client.join();
    CHECK(all_sent);
    CHECK((rig.input == all));
  });
}

TEST_CASE("a send larger than there is room for is carried on as the peer reads, byte for byte") {
  run_for_each([](Demultiplexer& demultiplexer) {
    Rig rig(demultiplexer);
    rig.output = pattern(20'000'000);
    rig.send_rest();
    REQUIRE(rig.sent < rig.output.size());
    std::string arrived;
    std::thread client([&] { arrived = testing::receive(rig.pair.client, rig.output.size()); });
    rig.turn_until([&] { return rig.sent == rig.output.size(); });
    client.join();
    CHECK((arrived == rig.output));
  });
}

TEST_CASE("pieces are sent in order as if they were one") {
  run_for_each([](Demultiplexer& demultiplexer) {
    Rig rig(demultiplexer);
    std::string texts[] = {"Echo=>", "x", "", " at noon"};
    std::vector<berth_bytes> pieces;
    for (auto& text : texts) pieces.push_back({text.data(), text.size()});
    const ssize_t result = demultiplexer.send(rig, pieces);
    pieces.assign(
        4, berth_bytes{});  // the kernel has its own by the next turn, whatever becomes of these
    if (result == kNotYet) rig.turn_until([&] { return rig.sent_calls > 0; });
    CHECK((result == 15 || rig.sent_result == 15));
    CHECK(testing::receive(rig.pair.client, 15) == "Echo=>x at noon");
  });
}

TEST_CASE("many streams may send pieces in the same turn") {
  run_for_each([](Demultiplexer& demultiplexer) {
    std::vector<std::unique_ptr<Rig>> rigs;
    for (int i = 0; i < 100; ++i) rigs.push_back(std::make_unique<Rig>(demultiplexer));
    std::string texts[] = {"one ", "two"};
    const berth_bytes pieces[] = {{texts[0].data(), 4}, {texts[1].data(), 3}};
    for (const auto& rig : rigs) {
      const ssize_t result = demultiplexer.send(*rig, pieces);
      if (result != kNotYet) rig->sent_result = result;
    }
    for (const auto& rig : rigs) {
      rig->turn_until([&] { return rig->sent_result != 0; });
      REQUIRE(rig->sent_result == 7);
      CHECK(testing::receive(rig->pair.client, 7) == "one two");
    }
  });
}

TEST_CASE("a send to a peer that is gone ends in an error, and in no signal") {
  run_for_each([](Demultiplexer& demultiplexer) {
    ::signal(SIGPIPE, SIG_IGN);  // as in the host
    Rig rig(demultiplexer);
    rig.pair.client.reset();
    rig.output = pattern(8'000'000);
    rig.send_rest();
    while (rig.sent_result >= 0) rig.turn();
    CHECK((rig.sent_result == -EPIPE || rig.sent_result == -ECONNRESET));
  });
}

TEST_CASE("the memory of a send that was taken back is not used any more") {
  run_for_each([](Demultiplexer& demultiplexer) {
    Rig rig(demultiplexer);
    rig.output = std::string(8'000'000, 'a');
    rig.send_rest();
    rig.turn(Duration::zero());
    demultiplexer.cancel_send(rig);
    const int calls = rig.sent_calls;
    rig.output.assign(rig.output.size(), 'b');
    std::string arrived;
    std::thread client([&] { arrived = testing::receive_until_end(rig.pair.client); });
    for (int turns = 0; turns < 20; ++turns) rig.turn(1ms);
    CHECK(rig.sent_calls == calls);
    ::shutdown(rig.pair.served.get(), SHUT_WR);
    client.join();
    CHECK_FALSE(arrived.empty());
    CHECK(arrived.find('b') == std::string::npos);
  });
}

TEST_CASE("a stream removed by another of the same turn is not called any more") {
  run_for_each([](Demultiplexer& demultiplexer) {
    Rig one(demultiplexer), two(demultiplexer);
    for (Rig* rig : {&one, &two}) {
      REQUIRE(rig->receive_all());
      rig->turn(Duration::zero());
    }
    one.then = [&] { two.remove(); };
    two.then = [&] { one.remove(); };
    REQUIRE(send_all(one.pair.client, "x"));
    REQUIRE(send_all(two.pair.client, "x"));
    one.turn_until([&] { return one.calls + two.calls > 0; });
    for (int turns = 0; turns < 3; ++turns) one.turn(1ms);
    CHECK(one.calls + two.calls == 1);
  });
}

TEST_CASE("a number used again brings nothing of the stream that had it before") {
  run_for_each([](Demultiplexer& demultiplexer) {
    auto old = std::make_unique<Rig>(demultiplexer);
    REQUIRE(old->receive_all());
    old->turn(Duration::zero());
    Pair next = testing::tcp_pair();
    const int number = old->pair.served.get();
    REQUIRE(send_all(old->pair.client, "old"));
    old->remove();
    REQUIRE(::dup3(next.served.get(), number, O_CLOEXEC) == number);
    next.served = std::move(old->pair.served);  // the same number, the new socket
    old.reset();
    Rig fresh(demultiplexer, std::move(next));
    REQUIRE(fresh.receive_all());
    fresh.then = [&] { fresh.receive_all(); };
    for (int turns = 0; turns < 3; ++turns) fresh.turn(1ms);
    CHECK(fresh.input.empty());
    REQUIRE(send_all(fresh.pair.client, "new"));
    fresh.turn_until([&] { return !fresh.input.empty(); });
    CHECK(fresh.input == "new");
  });
}

TEST_CASE("many streams that keep what they received leave enough for the others") {
  testing::in_each_loop([](testing::MakeDemultiplexer make) {
    const auto demultiplexer = make();
    constexpr int kMany = 200;
    std::vector<std::unique_ptr<Rig>> rigs;
    std::vector<Lent> kept;
    for (int i = 0; i < kMany; ++i) {
      auto& rig = *rigs.emplace_back(std::make_unique<Rig>(*demultiplexer, testing::unix_pair()));
      REQUIRE(rig.receive_all());
      rig.then = [&] {
        Lent bytes;
        const ssize_t received = demultiplexer->receive(rig, bytes);
        if (received <= 0) return;
        rig.input.append(bytes.get(), static_cast<std::size_t>(received));
        kept.push_back(std::move(bytes));
        (void)rig.receive_all();
      };
    }
    const std::string message = pattern(50'000);
    for (const auto& rig : rigs) {
      REQUIRE(send_all(rig->pair.client, message));
      rig->turn_until([&] { return rig->input.size() == message.size(); });
      CHECK((rig->input == message));
    }
    CHECK(kept.size() >= kMany);
    rigs.clear();
    kept.clear();
  });
}

}  // namespace
}  // namespace berth
