// One table of cases for every demultiplexer.
#include "serve/demultiplexer.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "serve/loops.hpp"
#include "serve/pairs.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using testing::Pair;
using testing::send_all;
using testing::unix_pair;

struct Recorder final : Watcher {
  int calls = 0;
  std::function<void()> then = [] {};
  void on_ready() override {
    ++calls;
    then();
  }
};

// Calls those who are ready now.
void turn(Demultiplexer& demultiplexer) {
  demultiplexer.wait(Duration::zero());
  demultiplexer.dispatch();
}

void run_for_each(void (*check)(Demultiplexer&)) {
  testing::in_each_loop([check](testing::MakeDemultiplexer make) { check(*make()); });
}

TEST_CASE("input is reported as readable, as long as it lies there") {
  run_for_each([](Demultiplexer& demultiplexer) {
    const Pair pair = unix_pair();
    Recorder recorder;
    Watch watch;
    REQUIRE(watch.start(demultiplexer, pair.served.get(), recorder));
    turn(demultiplexer);
    CHECK(recorder.calls == 0);
    REQUIRE(send_all(pair.client, "x"));
    turn(demultiplexer);
    turn(demultiplexer);
    CHECK(recorder.calls == 2);
    CHECK(testing::receive(pair.served, 1) == "x");
    turn(demultiplexer);
    CHECK(recorder.calls == 2);
  });
}

TEST_CASE("the end of the stream and a reset are reported as readable") {
  run_for_each([](Demultiplexer& demultiplexer) {
    Pair ended = testing::tcp_pair(), reset = testing::tcp_pair();
    Recorder first, second;
    Watch first_watch, second_watch;
    REQUIRE(first_watch.start(demultiplexer, ended.served.get(), first));
    REQUIRE(second_watch.start(demultiplexer, reset.served.get(), second));
    ended.client.reset();
    const linger at_once{1, 0};
    REQUIRE(::setsockopt(reset.client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    reset.client.reset();
    while (first.calls == 0 || second.calls == 0) {
      demultiplexer.wait(kUnlimited);
      demultiplexer.dispatch();
    }
  });
}

TEST_CASE("a watcher removed by another of the same turn is not called any more") {
  run_for_each([](Demultiplexer& demultiplexer) {
    const Pair pairs[] = {unix_pair(), unix_pair()};
    Recorder recorders[2];
    Watch watches[2];
    for (const int i : {0, 1}) {
      REQUIRE(send_all(pairs[i].client, "x"));
      REQUIRE(watches[i].start(demultiplexer, pairs[i].served.get(), recorders[i]));
      recorders[i].then = [&watches, i] { watches[1 - i].stop(); };
    }
    turn(demultiplexer);
    CHECK(recorders[0].calls + recorders[1].calls == 1);
  });
}

TEST_CASE("a watcher may remove itself, and be watched again from within its call") {
  run_for_each([](Demultiplexer& demultiplexer) {
    const Pair pair = unix_pair();
    REQUIRE(send_all(pair.client, "x"));
    Recorder recorder;
    Watch watch;
    REQUIRE(watch.start(demultiplexer, pair.served.get(), recorder));
    recorder.then = [&] {
      watch.stop();
      if (recorder.calls == 1) {
        CHECK(watch.start(demultiplexer, pair.served.get(), recorder));
      }
    };
    turn(demultiplexer);
    turn(demultiplexer);
    turn(demultiplexer);
    CHECK(recorder.calls == 2);
  });
}

TEST_CASE("a number reused within a turn does not bring its old events to the new watcher") {
  run_for_each([](Demultiplexer& demultiplexer) {
    Pair pairs[] = {unix_pair(), unix_pair()};
    Recorder recorders[2];
    Recorder fresh;
    Watch watches[2];
    Watch fresh_watch;
    Pair reused = unix_pair();
    for (const int i : {0, 1}) {
      REQUIRE(send_all(pairs[i].client, "x"));
      REQUIRE(watches[i].start(demultiplexer, pairs[i].served.get(), recorders[i]));
      recorders[i].then = [&, i] {
        // The other one's number now stands for another, idle socket.
        const int number = pairs[1 - i].served.get();
        watches[1 - i].stop();
        REQUIRE(::dup3(reused.served.get(), number, O_CLOEXEC) == number);
        REQUIRE(fresh_watch.start(demultiplexer, number, fresh));
      };
    }
    turn(demultiplexer);
    CHECK(recorders[0].calls + recorders[1].calls == 1);
    CHECK(fresh.calls == 0);
    watches[0].stop();
    watches[1].stop();
    REQUIRE(send_all(reused.client, "x"));
    turn(demultiplexer);
    CHECK(fresh.calls == 1);
  });
}

TEST_CASE("many descriptors are all reported, however many a turn takes") {
  run_for_each([](Demultiplexer& demultiplexer) {
    constexpr std::size_t kMany = 300;  // more than one batch, in several words of an fd_set
    std::vector<Pair> pairs(kMany);
    std::vector<Recorder> recorders(kMany);
    std::vector<Watch> watches(kMany);
    for (std::size_t i = 0; i < kMany; ++i) {
      pairs[i] = unix_pair();
      REQUIRE(send_all(pairs[i].client, "x"));
      recorders[i].then = [&watches, i] { watches[i].stop(); };
      REQUIRE(watches[i].start(demultiplexer, pairs[i].served.get(), recorders[i]));
    }
    for (int turns = 0; turns < 3; ++turns) turn(demultiplexer);
    CHECK(std::all_of(recorders.begin(), recorders.end(),
                      [](const Recorder& recorder) { return recorder.calls == 1; }));
  });
}

TEST_CASE("a wait ends with its timeout, not before it and not never") {
  run_for_each([](Demultiplexer& demultiplexer) {
    for (const Duration timeout : {Duration(0), Duration(1ns), Duration(3ms)}) {
      const TimePoint start = Clock::now();
      demultiplexer.wait(timeout);
      CHECK(Clock::now() - start >= timeout);
      demultiplexer.dispatch();
    }
  });
}

TEST_CASE("select refuses a descriptor that does not fit into its sets, epoll takes it") {
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit before = limit;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 2048);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  {
    Pair pair = unix_pair();
    const Fd high(::fcntl(pair.served.get(), F_DUPFD_CLOEXEC, FD_SETSIZE));
    const Fd highest(::fcntl(pair.served.get(), F_DUPFD_CLOEXEC, FD_SETSIZE - 1));
    Recorder recorder;
    if (high) {
      SelectDemultiplexer select;
      CHECK(select.end_of_range() == FD_SETSIZE);
      Watch watch;
      CHECK_FALSE(watch.start(select, high.get(), recorder));
      CHECK(errno == EMFILE);
      if (highest.get() == FD_SETSIZE - 1) {
        CHECK(watch.start(select, highest.get(), recorder));
      }
      REQUIRE(send_all(pair.client, "x"));
      EpollDemultiplexer epoll;
      Watch epoll_watch;
      CHECK(epoll_watch.start(epoll, high.get(), recorder));
      turn(epoll);
      CHECK(recorder.calls == 1);
    } else {
      MESSAGE("this process may not have " << FD_SETSIZE << " descriptors");
    }
  }
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("a watch that the kernel refuses is told, and leaves nothing behind") {
  EpollDemultiplexer epoll;
  Recorder recorder;
  Watch watch;
  const Fd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  CHECK_FALSE(watch.start(epoll, file.get(), recorder));
  CHECK(errno == EPERM);
  CHECK_FALSE(static_cast<bool>(watch));
}

}  // namespace
}  // namespace berth
