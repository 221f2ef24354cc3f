#include "serve/write_progress.hpp"

#include <doctest/doctest.h>

#include "serve/pairs.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using namespace berth::testing;

const TimePoint kStart = TimePoint() + 1000h;

TEST_CASE("time counts from when neither the kernel nor the client has taken anything more") {
  WriteProgress progress;
  CHECK(progress.stuck_for(100, 50, kStart) == 0s);
  CHECK(progress.stuck_for(100, 50, kStart + 3s) == 3s);
  CHECK(progress.stuck_for(100, 49, kStart + 4s) == 0s);  // the client has taken a byte
  CHECK(progress.stuck_for(100, 49, kStart + 9s) == 5s);
  CHECK(progress.stuck_for(101, 50, kStart + 10s) == 0s);  // the kernel has
  CHECK(progress.stuck_for(101, 50, kStart + 11s) == 1s);
}

TEST_CASE("the first look counts as one at something new") {
  WriteProgress progress;
  CHECK(progress.stuck_for(0, 0, kStart) == 0s);
  CHECK(progress.stuck_for(0, 0, kStart + 1s) == 1s);
}

TEST_CASE("a limit is looked at eight times, and not more often than each millisecond") {
  CHECK(WriteProgress::interval(8s) == 1s);
  CHECK(WriteProgress::interval(1ns) == 1ms);
  CHECK(WriteProgress::interval(kUnlimited) == kUnlimited);
}

TEST_CASE("a session's writes are looked at as often as the shorter of its limits wants it") {
  ListenerSettings settings;
  settings.idle_timeout = 16s;
  CHECK(WriteProgress::interval(settings) == 2s);
  settings.write_timeout = 8s;
  CHECK(WriteProgress::interval(settings) == 1s);
  settings.write_timeout = 80s;
  CHECK(WriteProgress::interval(settings) == 2s);
}

TEST_CASE("what a client takes is seen although the kernel has no room for more") {
  const Pair pair = tcp_pair();
  const std::string bytes(1 << 20, 'x');
  std::uint64_t sent = 0;
  for (ssize_t some;
       (some = ::send(pair.served.get(), bytes.data(), bytes.size(), MSG_DONTWAIT)) > 0;) {
    sent += static_cast<std::uint64_t>(some);
  }
  WriteProgress progress;
  TimePoint now = kStart;
  CHECK(progress.stuck_for_now(pair.served.get(), sent, now) == 0s);
  CHECK(progress.stuck_for_now(pair.served.get(), sent, now += 1s) == 1s);
  // Until the client's kernel has room again and says so, which it does in large steps.
  while (progress.stuck_for_now(pair.served.get(), sent, now += 1s) != 0s) {
    REQUIRE(receive(pair.client, 1000).size() == 1000);
  }
}

}  // namespace
}  // namespace berth
