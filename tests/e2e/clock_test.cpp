// Somebody sets the machine's clock: what has to come in time comes in time.
#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <string>

#include "client.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "shared_file.hpp"
#include "tested_build.hpp"

using namespace e2e;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kDay = 86400;

// The day in a line of the log: 2026-11-23.
std::string day_of(const LogLine& line) { return line.whole.substr(0, 10); }

}  // namespace

TEST_CASE_TEMPLATE("when the clock jumps a day timers are neither early nor late", Model,
                   EACH_MODEL) {
  if (tested_build().sanitized) {
    MESSAGE("left out: a sanitizer has to be the first library that is loaded");
    return;
  }
  std::int64_t jump = 0;
  SUBCASE("forward") { jump = kDay; }
  SUBCASE("backward") { jump = -kDay; }
  SharedFile off_by;
  HostProcess host(
      one_listener(Model::name, "probe", {"idle_timeout: 700ms"}),
      {.by = {}, .environment = {"LD_PRELOAD=" BERTH_CLOCK_JUMP, "CLOCK_JUMP=" + off_by.path()}});
  const auto begin = Clock::now();
  Client silent(host.port());
  Client sleeping(host.port());
  sleeping.send("sleep 500\n");
  Client waiting(host.port());
  REQUIRE(waiting.ask("within 600") == "reading");
  host.log().wait_for("connection 3 from ");
  off_by[0] = jump;

  CHECK(sleeping.read_line() == "slept");
  CHECK(Clock::now() - begin >= std::chrono::milliseconds(500));
  CHECK(waiting.read_line() == "timed out");
  CHECK(Clock::now() - begin >= std::chrono::milliseconds(600));
  silent.wait_until_closed();
  CHECK(Clock::now() - begin >= std::chrono::milliseconds(700));
  // That they came at all, within a test's patience, shows that none waits for tomorrow.
  host.log().wait_for("the client was silent for too long");
  Client after(host.port());
  const LogLine line = host.log().wait_for("connection 4 from ");
  CHECK(day_of(line) != day_of(host.log().wait_for("berth is ready")));  // it did see the jump
}

TEST_CASE_TEMPLATE("a drain takes its time and no more while the clock jumps", Model, EACH_MODEL) {
  if (tested_build().sanitized) {
    MESSAGE("left out: a sanitizer has to be the first library that is loaded");
    return;
  }
  SharedFile off_by;
  HostProcess host(
      one_listener(Model::name, "probe").top("drain_timeout: 500ms"),
      {.by = {}, .environment = {"LD_PRELOAD=" BERTH_CLOCK_JUMP, "CLOCK_JUMP=" + off_by.path()}});
  Client client(host.port());
  REQUIRE(client.ask("id") == "1");
  const auto begin = Clock::now();
  host.send_signal(SIGTERM);
  host.log().wait_for("draining: 1 connections");
  off_by[0] = -kDay;
  client.wait_until_closed();
  CHECK(Clock::now() - begin >= std::chrono::milliseconds(500));
  CHECK(host.wait_for_exit() == 0);
}
