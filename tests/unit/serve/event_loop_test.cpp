#include "serve/event_loop.hpp"

#include <doctest/doctest.h>

#include <system_error>
#include <thread>
#include <vector>

#include "serve/buffer_pool.hpp"
#include "serve/epoll_demultiplexer.hpp"
#include "serve/pairs.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;

struct Loop : EventLoop {
  Loop() : EventLoop(std::make_unique<EpollDemultiplexer>()) {}
};

TEST_CASE("a loop turns until it is stopped, and can be run again") {
  Loop loop;
  int calls = 0;
  CallTimer timer(loop.timers(), [&] {
    ++calls;
    loop.stop();
  });
  for (int runs = 1; runs <= 2; ++runs) {
    timer.arm(Clock::now());
    loop.run();
    CHECK(calls == runs);
  }
}

TEST_CASE("a timer that a guest arms is told of, though the loop may be in its wait") {
  Loop loop;
  loop.admit_guests();
  int calls = 0;
  CallTimer timer(loop.timers(), [&] {
    ++calls;
    loop.stop();
  });
  for (int runs = 1; runs <= 20; ++runs) {
    const std::jthread other([&] {
      const EventLoop::Guest guest(loop);
      timer.arm(loop.now());
    });
    loop.run();
    CHECK(calls == runs);
  }
}

TEST_CASE("the end of a turn is called once, after all else, and may ask for another") {
  struct End final : TurnEnd {
    explicit End(std::vector<int>& into, EventLoop& of) : order(into), loop(of) {}
    void on_turn_end() override {
      order.push_back(2);
      if (order.size() < 4) loop.at_turn_end(*this);
    }
    std::vector<int>& order;
    EventLoop& loop;
  };
  Loop loop;
  std::vector<int> order;
  End end(order, loop), forgotten(order, loop);
  CallTimer stop(loop.timers(), [&] { loop.stop(); });
  CallTimer start(loop.timers(), [&] {
    loop.at_turn_end(end);
    loop.at_turn_end(forgotten);
    loop.forget_turn_end(forgotten);
    stop.arm(Clock::now());
    order.push_back(1);
  });
  start.arm(Clock::now());
  loop.run();
  CHECK(order == std::vector{1, 2, 2, 2});
}

TEST_CASE("no timer of a loop is early, and they come in order") {
  Loop loop;
  std::vector<int> order;
  CallTimer late(loop.timers(), [&] {
    order.push_back(2);
    loop.stop();
  });
  CallTimer early(loop.timers(), [&] { order.push_back(1); });
  const TimePoint start = Clock::now();
  late.arm(start + 4ms);
  early.arm(start + 2ms);
  loop.run();
  CHECK(order == std::vector{1, 2});
  CHECK(loop.now() >= start + 4ms);
}

TEST_CASE("a timer that is always due again does not keep descriptors from being served") {
  Loop loop;
  const testing::Pair pair = testing::unix_pair();
  CallTimer greedy(loop.timers(), [&] { greedy.arm(loop.now()); });
  greedy.arm(Clock::now());
  bool read = false;
  CallWatcher watcher([&] {
    read = true;
    loop.stop();
  });
  watcher.start(loop.demultiplexer(), pair.served.get());
  CallTimer sender(loop.timers(), [&] { REQUIRE(testing::send_all(pair.client, "x")); });
  sender.arm(Clock::now() + 1ms);
  loop.run();
  CHECK(read);
}

TEST_CASE("a turn that takes long is told with its length, and a short one is not") {
  Loop loop;
  std::vector<Duration> told;
  loop.watch_turns([&](Duration length) { told.push_back(length); });
  Duration work = 0ms;
  CallTimer worker(loop.timers(), [&] {
    std::this_thread::sleep_for(work);
    loop.stop();
  });
  for (const Duration length : {Duration(0ms), Duration(120ms)}) {
    work = length;
    worker.arm(Clock::now() + 20ms);  // waiting is no work
    loop.run();
  }
  REQUIRE(told.size() == 1);
  CHECK(told[0] > EventLoop::kLongTurn);
  loop.watch_turns(nullptr);
  worker.arm(Clock::now());
  loop.run();
  CHECK(told.size() == 1);
}

TEST_CASE("a descriptor that cannot be watched throws, with the system's words") {
  Loop loop;
  CallWatcher watcher([] {});
  CHECK_THROWS_AS(watcher.start(loop.demultiplexer(), 1'000'000), std::system_error);
}

TEST_CASE("a watcher that has stopped is not called") {
  Loop loop;
  const testing::Pair pair = testing::unix_pair();
  REQUIRE(testing::send_all(pair.client, "x"));
  int calls = 0;
  CallWatcher watcher([&] {
    ++calls;
    watcher.stop();
  });
  watcher.start(loop.demultiplexer(), pair.served.get());
  CallTimer end(loop.timers(), [&] { loop.stop(); });
  end.arm(Clock::now() + 1ms);
  loop.run();
  CHECK(calls == 1);
}

TEST_CASE("a buffer given back is the next one taken") {
  BufferPool pool;
  Lent first = pool.take();
  const Lent second = pool.take();
  char* const address = first.get();
  CHECK(address != second.get());
  address[BufferPool::kBufferSize - 1] = 'x';
  first.reset();
  CHECK(pool.take().get() == address);
}

TEST_CASE("a pool takes back more buffers than it keeps") {
  BufferPool pool;
  std::vector<Lent> buffers(2 * BufferPool::kKept);
  for (auto& buffer : buffers) buffer = pool.take();
  buffers.clear();
  CHECK(pool.take() != nullptr);
}

}  // namespace
}  // namespace berth
