#include "serve/background_pool.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <latch>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "serve/epoll_demultiplexer.hpp"

namespace berth {
namespace {

// Calls into a pool, and the loop that learns of their ends.
class Calls {
 public:
  explicit Calls(std::size_t most_threads)
      : pool(
            loop.demultiplexer(), [this](berth_operation& operation) { on_end(operation); },
            most_threads) {}

  void start(std::function<void()> function, std::shared_ptr<void> kept = nullptr) {
    Call& call = calls_.emplace_back();
    call.function = std::move(function);
    call.operation.error = -1;
    call.operation.bytes.call = {[](void* it) { (*static_cast<std::function<void()>*>(it))(); },
                                 &call.function};
    REQUIRE(pool.start(call.operation, session_, std::move(kept)));
  }
  // Turns the loop until so many have ended in all.
  void turn_until(std::size_t count) {
    wanted_ = count;
    if (errors.size() < wanted_) loop.run();
  }

  EventLoop loop{std::make_unique<EpollDemultiplexer>()};
  std::vector<int> errors;  // of those that ended, in that order
  std::vector<std::thread::id> told_on;

 private:
  struct Call {
    berth_operation operation{};
    std::function<void()> function;
  };

  void on_end(berth_operation& operation) {
    errors.push_back(operation.error);
    told_on.push_back(std::this_thread::get_id());
    if (errors.size() >= wanted_) loop.stop();
  }

  std::list<Call> calls_;
  std::size_t wanted_ = 0;
  SessionReport session_;

 public:
  BackgroundPool pool;  // ends before what it calls
};

TEST_CASE("a call is made on a thread of the pool and told of on the loop's") {
  Calls calls(2);
  CHECK(calls.pool.threads() == 0);
  std::thread::id called;
  calls.start([&] { called = std::this_thread::get_id(); });
  calls.turn_until(1);
  CHECK(calls.errors == std::vector{0});
  CHECK(called != std::this_thread::get_id());
  CHECK(calls.told_on == std::vector{std::this_thread::get_id()});
}

TEST_CASE("what a call needs stays until it is told of, or will not be made") {
  std::weak_ptr<int> needed, never_needed;
  {
    Calls calls(1);
    std::latch begun(1), go_on(1);
    auto kept = std::make_shared<int>(1), other = std::make_shared<int>(2);
    needed = kept;
    never_needed = other;
    calls.start(
        [&] {
          begun.count_down();
          go_on.wait();
        },
        std::move(kept));
    calls.start([] {}, std::move(other));
    begun.wait();
    CHECK(calls.pool.busy());
    CHECK_FALSE(needed.expired());
    go_on.count_down();
    calls.turn_until(1);
    CHECK(needed.expired());
  }
  CHECK(never_needed.expired());
}

TEST_CASE("a pool whose calls have all returned is not busy") {
  Calls calls(2);
  CHECK_FALSE(calls.pool.busy());
  calls.start([] {});
  calls.turn_until(1);
  CHECK_FALSE(calls.pool.busy());
}

TEST_CASE("a thread that is through is used again before another is started") {
  Calls calls(4);
  for (std::size_t i = 1; i <= 20; ++i) {
    calls.start([] {});
    calls.turn_until(i);
  }
  // It tells of the end before it waits for the next call, which may be faster.
  CHECK(calls.pool.threads() <= 2);
}

TEST_CASE("as many calls run at once as there may be threads, and the rest wait in order") {
  Calls calls(3);
  std::latch all_run(4), go_on(1);
  for (int i = 0; i < 3; ++i) {
    calls.start([&] {
      all_run.arrive_and_wait();
      go_on.wait();
    });
  }
  std::vector<int> order;
  std::mutex mutex;
  std::atomic<int> at_once = 0, most_at_once = 0;
  for (int i = 0; i < 30; ++i) {
    calls.start([&, i] {
      most_at_once = std::max(most_at_once.load(), ++at_once);
      {
        const std::scoped_lock lock(mutex);
        order.push_back(i);
      }
      --at_once;
    });
  }
  all_run.arrive_and_wait();  // all three threads are in use
  CHECK(calls.pool.threads() == 3);
  {
    const std::scoped_lock lock(mutex);
    CHECK(order.empty());
  }
  go_on.count_down();
  calls.turn_until(33);
  CHECK(order.size() == 30);
  CHECK(most_at_once <= 3);
  CHECK(calls.pool.threads() == 3);
}

TEST_CASE("with one thread calls are made in the order in which they were started") {
  Calls calls(1);
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) calls.start([&order, i] { order.push_back(i); });
  calls.turn_until(100);
  std::vector<int> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  CHECK(order.size() == 100);
  CHECK((order == sorted));
}

TEST_CASE("calls that no thread has begun are cancelled, and those that run are not") {
  Calls calls(1);
  std::latch runs(2), go_on(1);
  bool cancelled_was_called = false;
  calls.start([&] {
    runs.arrive_and_wait();
    go_on.wait();
  });
  for (int i = 0; i < 3; ++i) calls.start([&] { cancelled_was_called = true; });
  runs.arrive_and_wait();
  calls.pool.cancel_waiting();
  calls.turn_until(3);
  CHECK(calls.errors == std::vector{ECANCELED, ECANCELED, ECANCELED});
  go_on.count_down();
  calls.turn_until(4);
  CHECK(calls.errors.back() == 0);
  CHECK_FALSE(cancelled_was_called);
}

TEST_CASE("a pool that ends waits for what runs") {
  std::atomic<bool> ended = false;
  {
    Calls calls(1);
    std::latch runs(2);
    calls.start([&] {
      runs.arrive_and_wait();
      std::this_thread::yield();
      ended = true;
    });
    runs.arrive_and_wait();
  }
  CHECK(ended);
}

TEST_CASE("the threads of a pool take no signals but those of a crash") {
  Calls calls(1);
  sigset_t before, during, after;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  calls.start([&] { ::pthread_sigmask(SIG_SETMASK, nullptr, &during); });
  calls.turn_until(1);
  ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM}) {
    CHECK(::sigismember(&during, signal) == 1);
    CHECK(::sigismember(&after, signal) == ::sigismember(&before, signal));
  }
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    CHECK(::sigismember(&during, signal) == 0);
  }
}

TEST_CASE("a pool is never smaller than a few slow calls") {
  CHECK(BackgroundPool::usual_size() >= 4);
}

}  // namespace
}  // namespace berth
