// What one session may take: time, patience with its client, memory, processor, descriptors.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "tested_build.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

// Goes on asking until the host ends the session.
void ask_until_closed(Client& client) {
  try {
    for (;; std::this_thread::sleep_for(Milliseconds(1))) (void)client.ask("id");
  } catch (const std::exception&) {
  }
}

}  // namespace

TEST_CASE_TEMPLATE("a session ends when it has lasted for session_timeout, busy or not", Model,
                   EACH_MODEL) {
  CHECK(counts_once([] {
    HostProcess host(one_listener(Model::name, "probe", {"session_timeout: 3s"}));
    const auto start = Clock::now();
    Client silent(host.port());
    Client sleeping(host.port());
    sleeping.send("sleep 600000\n");
    Client deaf(host.port());
    deaf.send("flood 50000000\n");
    Client ticking(host.port());
    ticking.send("tick 1000000\n");
    Client busy(host.port());
    ask_until_closed(busy);
    CHECK(Clock::now() - start >= std::chrono::seconds(3));
    silent.wait_until_closed();
    sleeping.wait_until_closed();
    ticking.wait_until_closed();
    host.log().wait_for("it had lasted too long (session_timeout)", 5);
    if (host.has_killed_sessions()) return false;
    CHECK(host.log().count("session destroyed") == 5);
    Client next(host.port());
    CHECK(next.ask("id") == "6");
    CHECK(host.log().count("is ready (pid ") == 1);
    return true;
  }));
}

TEST_CASE_TEMPLATE("a session that ends in time is not touched", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {"session_timeout: 3s"}));
  std::vector<Client> late;
  for (int i = 1; i <= 3; ++i) {
    Client early(host.port());
    REQUIRE(early.ask("id") == std::to_string(2 * i - 1));
    late.emplace_back(host.port());
  }
  for (auto& client : late) client.wait_until_closed();
  host.log().wait_for("closed by the client", 3);
  host.log().wait_for("(session_timeout)", 3);
}

TEST_CASE_TEMPLATE("a handler that spins is killed at session_timeout where it has a process",
                   Model, EACH_MODEL) {
  if (!Model::own_process) return;  // nobody can end it there: the README says so
  HostProcess host(one_listener(Model::name, "probe", {"session_timeout: 3s"}));
  Client bystander(host.port());
  Client spinning(host.port());
  REQUIRE(spinning.ask("spin") == "spinning");
  spinning.wait_until_closed();
  const LogLine line = host.log().wait_for("did not end, and was killed");
  CHECK(line.level == "warn");
  CHECK(line.text.rfind("connection 2 from ", 0) == 0);
  CHECK(line.text.find("it had lasted too long (session_timeout)") != std::string::npos);
  CHECK(Client(host.port()).ask("id") == "3");
}

TEST_CASE_TEMPLATE("a client that takes nothing of a reply is let go after write_timeout", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {"write_timeout: 400ms"}));
  Client silent(host.port());
  REQUIRE(silent.ask("id") == "1");
  Client deaf(host.port());
  const auto start = Clock::now();
  deaf.send("flood 50000000\n");
  const LogLine line = host.log().wait_for("the client took nothing of a reply for too long");
  CHECK(Clock::now() - start >= Milliseconds(400));
  CHECK(line.text.rfind("connection 2 from ", 0) == 0);
  CHECK(line.text.find("(write_timeout)") != std::string::npos);
  CHECK(silent.ask("id") == "1");
}

void take_a_reply_slowly(const Config& config) {
  constexpr auto kTimeout = Milliseconds(500);
  constexpr std::size_t kSize = 20'000'000;
  HostProcess host(config);
  CHECK(counts_once([&] {
    Client slow(host.port());
    slow.send(numbered("flood", kSize) + "\n");
    const auto start = Clock::now();
    auto last = start;
    auto longest = Clock::duration::zero();  // that it took nothing
    std::size_t taken = 0;
    try {
      while (taken < kSize) {
        taken += slow.read_exactly(std::min<std::size_t>(20'000, kSize - taken)).size();
        const auto now = Clock::now();
        longest = std::max(longest, now - std::exchange(last, now));
        // So slowly that the kernel has no room for more most of the time.
        if (now - start < 4 * kTimeout) std::this_thread::sleep_for(Milliseconds(20));
      }
      CHECK(slow.ask("listener") == "it");
      return true;
    } catch (const std::exception&) {
      if (std::max(longest, Clock::now() - last) < kTimeout / 2) throw;
      return false;  // this client was too slow: it may be let go
    }
  }));
}

TEST_CASE_TEMPLATE("a client that takes a reply slowly is served to its end", Model, EACH_MODEL) {
  take_a_reply_slowly(
      one_listener(Model::name, "probe", {"write_timeout: 500ms", "idle_timeout: 60s"}));
}

TEST_CASE_TEMPLATE("a client that takes a reply slowly is not held for idle", Model, EACH_MODEL) {
  take_a_reply_slowly(one_listener(Model::name, "probe", {"idle_timeout: 500ms"}));
}

// Not with sanitizers, which take more than any limit.
TEST_CASE_TEMPLATE("a handler that takes more memory than it may fails alone", Model, EACH_MODEL) {
  if (tested_build().sanitized) return;
  HostProcess host(one_listener(Model::name, "probe", {"resources: {memory: 256MiB}"}));
  host.expect_error("handler 'probe' failed: std::bad_alloc");
  Client bystander(host.port());
  REQUIRE(bystander.ask("allocate 10") == "x");
  Client greedy(host.port());
  greedy.send("allocate 300\n");
  greedy.wait_until_closed();
  CHECK(bystander.ask("id") == "1");
  CHECK(bystander.ask("allocate 10") == "x");
  CHECK(host.log().count("is ready (pid ") == 1);
}

TEST_CASE_TEMPLATE("a handler that takes more processor time than it may is killed", Model,
                   EACH_MODEL) {
  Config config;
  if (std::string(Model::name) == "prefork") {  // it counts for a whole process
    config.top("defaults: {connections_per_process: 1}");
  }
  config.listener("it", Model::name, "probe", {"resources: {cpu_time: 1s}"});
  config.listener("other", Model::name, "probe");
  HostProcess host(config);
  Client elsewhere(host.port("other"));
  REQUIRE(elsewhere.ask("id") == "1");
  Client bystander(host.port());
  REQUIRE(bystander.ask("id") == "1");
  Client spinning(host.port());
  REQUIRE(spinning.ask("spin") == "spinning");
  host.expect_error("killed by SIGXCPU");
  spinning.wait_until_closed();
  host.log().wait_for("killed by SIGXCPU");
  if (Model::own_process) {
    CHECK(bystander.ask("id") == "1");
  } else {
    bystander.wait_until_closed();
    host.log().wait_for("listener 'it': worker 0 is ready", 2);
  }
  CHECK(Client(host.port()).ask("listener") == "it");
  CHECK(elsewhere.ask("id") == "1");
}

TEST_CASE_TEMPLATE("a handler gets no more descriptors than it may", Model, EACH_MODEL) {
  HostProcess host(
      one_listener(Model::name, "probe", {"resources: {descriptors: 60}", "max_connections: 20"}));
  std::vector<Client> others;
  for (int i = 0; i < 10; ++i) {
    others.emplace_back(host.port());
    REQUIRE(others.back().ask("listener") == "it");
  }
  Client holder(host.port());
  const int opened = std::stoi(holder.ask("files 1000"));
  CHECK(opened > 10);
  CHECK(opened < 60);
  CHECK(others.front().ask("listener") == "it");
  Client next(host.port());
  CHECK(next.ask("listener") == "it");
}
