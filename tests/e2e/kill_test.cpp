// kill -9 of any one process, at a random moment under load, leaves the rest as it has to.
#include <doctest/doctest.h>
#include <signal.h>

#include <random>
#include <string>

#include "client.hpp"
#include "host_process.hpp"
#include "load.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

constexpr std::size_t kShort = 8;
constexpr std::size_t kLong = 4;
constexpr std::uint64_t kConnections = 400;

LoadPlan constant_load() {
  return {.connections = kConnections, .at_once = kShort, .long_lived = kLong};
}

Config two_listeners(const char* model) {
  Config config = one_listener(model, "echo", {"options: {reply: verbatim}"});
  return config.listener("other", model, "echo", {"options: {reply: verbatim}"});
}

// Somewhere in the midst of the load.
void wait_for_random_moment(const Load& load, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::uint64_t moment = 1 + random() % (kConnections / 2);
  REQUIRE(wait_until([&] { return load.done() >= moment; }));
}

}  // namespace

TEST_CASE_TEMPLATE("whoever kills a worker under load costs what its model says", Model,
                   EACH_MODEL) {
  const std::uint64_t seed = std::random_device()();
  CAPTURE(seed);
  HostProcess host(two_listeners(Model::name));
  host.expect_error("was killed by SIGKILL");
  Load elsewhere(tcp_target(host.port("other")), constant_load());
  Load load(tcp_target(host.port()), constant_load());
  wait_for_random_moment(load, seed);
  ::kill(host.worker(), SIGKILL);
  const LoadTally tally = load.wait();
  CAPTURE(tally.first_loss);
  // Of a fork model the one that was accepted and not forked yet; else all that it served.
  CHECK(tally.cut <= (Model::own_process ? 1 : kShort + kLong));
  CHECK(tally.lost() == tally.cut);
  const LoadTally others = elsewhere.wait();
  CHECK_MESSAGE(others.lost() == 0, others.first_loss);
  CHECK(others.whole >= kConnections);
}

TEST_CASE_TEMPLATE("whoever kills a session under load costs its own connection", Model, e2e::Fork,
                   e2e::SignalFork) {
  const std::uint64_t seed = std::random_device()();
  CAPTURE(seed);
  HostProcess host(two_listeners(Model::name));
  host.expect_error("handler 'echo' crashed: connection 1 from ");
  Client victim(host.port());
  victim.send("served");
  REQUIRE(victim.read_exactly(6) == "served");
  const auto sessions = children_of(host.worker());
  REQUIRE(sessions.size() == 1);
  Load load(tcp_target(host.port()), constant_load());
  wait_for_random_moment(load, seed);
  ::kill(sessions.front().pid, SIGKILL);
  victim.wait_until_closed();
  const LoadTally tally = load.wait();
  CHECK_MESSAGE(tally.lost() == 0, tally.first_loss);
  CHECK(host.log().count("is ready (pid ") == 2);
}

TEST_CASE_TEMPLATE("whoever kills the supervisor under load leaves what is open to its end", Model,
                   EACH_MODEL) {
  const std::uint64_t seed = std::random_device()();
  CAPTURE(seed);
  HostProcess host(two_listeners(Model::name));
  host.expect_error("the supervisor is gone: draining");
  constexpr std::size_t kOpen = 20;  // before it is killed, each in the midst of a message
  Load open(tcp_target(host.port("other")),
            {.at_once = 0, .long_lived = kOpen, .exchanges = 1'000'000});
  REQUIRE(wait_until([&] { return open.answered() == kOpen; }));
  Load load(tcp_target(host.port()), constant_load());
  wait_for_random_moment(load, seed);
  CHECK(host.stop(SIGKILL) == -SIGKILL);
  const LoadTally tally = load.wait();
  CAPTURE(tally.first_loss);
  CHECK(tally.wrong + tally.late == 0);
  CHECK(tally.refused > 0);
  open.finish();
  const LoadTally kept = open.wait();
  CHECK(kept.whole == kOpen);
  CHECK_MESSAGE(kept.lost() == 0, kept.first_loss);
}
