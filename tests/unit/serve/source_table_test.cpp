#include "serve/source_table.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "serve/source_counts.hpp"

namespace berth {
namespace {

AddressBits source(unsigned number) {
  AddressBits bits{};
  for (int i = 0; i < 4; ++i) bits[4 + i] = static_cast<std::uint8_t>(number >> 8 * i);
  return bits;
}

TEST_CASE("a source gets as many connections as it may have, and no more") {
  SourceTable table(1, 10);
  for (int i = 0; i < 3; ++i) CHECK(table.add(0, source(1), 3));
  CHECK_FALSE(table.add(0, source(1), 3));
  CHECK(table.add(0, source(2), 3));
  table.remove(0, source(1));
  CHECK(table.add(0, source(1), 3));
  CHECK_FALSE(table.add(0, source(1), 3));
}

TEST_CASE("the workers of a listener count together") {
  SourceTable table(3, 10);
  CHECK(table.add(0, source(1), 2));
  CHECK(table.add(2, source(1), 2));
  for (unsigned worker = 0; worker < 3; ++worker) CHECK_FALSE(table.add(worker, source(1), 2));
  table.remove(2, source(1));
  CHECK(table.add(1, source(1), 2));
}

TEST_CASE("what a dead worker has counted is over, and what the others have is not") {
  SourceTable table(2, 1000);
  for (unsigned i = 0; i < 1000; ++i) {
    REQUIRE(table.add(0, source(i), 2));
    REQUIRE(table.add(1, source(i), 2));
  }
  CHECK_FALSE(table.add(1, source(7), 2));
  table.clear(0);
  for (unsigned i = 0; i < 1000; ++i) {
    REQUIRE(table.add(0, source(i), 2));
    REQUIRE_FALSE(table.add(0, source(i), 2));
  }
}

TEST_CASE("a table as full as it can be agrees with a plain count of what came and went") {
  constexpr unsigned kMost = 64, kSources = 90, kLimit = 3;
  const auto seed = static_cast<unsigned>(std::random_device()());
  CAPTURE(seed);
  std::mt19937 random(seed);
  SourceTable table(1, kMost);
  std::map<unsigned, unsigned> counts;
  std::vector<unsigned> open;
  for (int step = 0; step < 100'000; ++step) {
    const bool comes = open.size() < kMost && (open.empty() || random() % 2 == 0);
    if (comes) {
      const auto which = static_cast<unsigned>(random() % kSources);
      REQUIRE(table.add(0, source(which), kLimit) == (counts[which] < kLimit));
      if (counts[which] == kLimit) continue;
      ++counts[which];
      open.push_back(which);
    } else {
      std::swap(open[random() % open.size()], open.back());
      table.remove(0, source(open.back()));
      --counts[open.back()];
      open.pop_back();
    }
  }
}

// In memory that processes share.
struct Tally {
  std::atomic<int> held{0};
  std::atomic<int> most{0};
  std::atomic<int> denied{0};
  std::atomic<bool> over{false};
};

class SharedTally {
 public:
  SharedTally()
      : memory_(::mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                       -1, 0)),
        tally_(new (memory_) Tally) {}
  ~SharedTally() { ::munmap(memory_, sizeof(Tally)); }
  Tally* operator->() const { return tally_; }

 private:
  void* memory_;
  Tally* tally_;
};

// Takes and gives back as fast as it can, until told to stop.
[[noreturn]] void take_and_give(SourceTable& table, unsigned worker, Tally& tally, int limit) {
  while (!tally.over) {
    if (!table.add(worker, source(1), static_cast<unsigned>(limit))) {
      ++tally.denied;
      continue;
    }
    const int now = ++tally.held;
    for (int most = tally.most; now > most && !tally.most.compare_exchange_weak(most, now);) {
    }
    --tally.held;
    table.remove(worker, source(1));
  }
  ::_exit(0);
}

TEST_CASE("workers that come at once never have more than the limit together") {
  constexpr int kWorkers = 3, kLimit = 2;
  SourceTable table(kWorkers, 4);
  const SharedTally tally;
  std::vector<pid_t> workers;
  for (unsigned worker = 0; worker < kWorkers; ++worker) {
    workers.push_back(::fork());
    if (workers.back() == 0) take_and_give(table, worker, *tally.operator->(), kLimit);
  }
  while (tally->denied < 1000) ::usleep(100);
  tally->over = true;
  for (const pid_t worker : workers) CHECK(::waitpid(worker, nullptr, 0) == worker);
  CHECK(tally->most.load() <= kLimit);
  // And all has been given back.
  for (int i = 0; i < kLimit; ++i) CHECK(table.add(0, source(1), kLimit));
}

TEST_CASE("a worker killed at any moment holds up nobody and leaves nothing behind") {
  SourceTable table(2, 4);
  const SharedTally tally;
  for (int round = 0; round < 50; ++round) {
    const pid_t worker = ::fork();
    if (worker == 0) take_and_give(table, 1, *tally.operator->(), 1'000'000);
    for (int i = 0; i < 20 * round; ++i) {
      REQUIRE(table.add(0, source(1), 1'000'000));
      table.remove(0, source(1));
    }
    ::kill(worker, SIGKILL);
    REQUIRE(::waitpid(worker, nullptr, 0) == worker);
    table.clear(1);
    REQUIRE(table.add(0, source(1), 1));
    table.remove(0, source(1));
  }
}

TEST_CASE("a stopped worker holds up the others for moments only") {
  SourceTable table(2, 4);
  const SharedTally tally;
  for (int round = 0; round < 50; ++round) {
    const pid_t worker = ::fork();
    if (worker == 0) take_and_give(table, 1, *tally.operator->(), 1'000'000);
    ::usleep(static_cast<useconds_t>(100 + round * 13));
    ::kill(worker, SIGSTOP);
    REQUIRE(::waitpid(worker, nullptr, WUNTRACED) == worker);
    const auto start = std::chrono::steady_clock::now();
    CHECK(table.add(0, source(1), 1'000'000));
    table.remove(0, source(1));
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
    ::kill(worker, SIGKILL);
    REQUIRE(::waitpid(worker, nullptr, 0) == worker);
    table.clear(1);
  }
}

// ---- SourceCounts ----

SocketAddress address(const std::string& host, std::uint16_t port = 1) {
  return resolve({Scheme::tcp, host, port}).value()[0];
}

TEST_CASE("clients of one prefix are one source, whatever their ports") {
  SourceTable table(1, 100);
  SourceCounts counts(table, 0, {.connections = 1, .ipv4_prefix = 24, .ipv6_prefix = 64});
  CHECK(counts.take(address("192.0.2.7", 1000)));
  CHECK_FALSE(counts.take(address("192.0.2.7", 2000)));
  CHECK_FALSE(counts.take(address("192.0.2.255", 1)));
  CHECK(counts.take(address("192.0.3.7", 1)));
  CHECK(counts.take(address("2001:db8::1")));
  CHECK_FALSE(counts.take(address("2001:db8::ffff:1")));
  CHECK(counts.take(address("2001:db8:0:1::1")));
  counts.give_back(address("192.0.2.9", 5));
  CHECK(counts.take(address("192.0.2.8")));
  CHECK(counts.source_text(address("192.0.2.7")) == "192.0.2.0/24");
  CHECK(counts.source_text(address("2001:db8::1")) == "2001:db8::/64");
}

TEST_CASE("a source is a single IPv4 address unless told otherwise, and the /64 of an IPv6 one") {
  SourceTable table(1, 100);
  SourceCounts counts(table, 0, {.connections = 1});
  CHECK(counts.take(address("192.0.2.7")));
  CHECK(counts.take(address("192.0.2.8")));
  CHECK_FALSE(counts.take(address("192.0.2.7")));
  CHECK(counts.take(address("2001:db8::1")));
  CHECK_FALSE(counts.take(address("2001:db8::2")));
  CHECK(counts.source_text(address("192.0.2.7")) == "192.0.2.7");
}

TEST_CASE("what has no IP address is of no source") {
  SourceTable table(1, 100);
  SourceCounts counts(table, 0, {.connections = 1});
  for (int i = 0; i < 3; ++i) CHECK(counts.take(SocketAddress()));
  counts.give_back(SocketAddress());
}

}  // namespace
}  // namespace berth
