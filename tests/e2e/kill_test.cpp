// kill -9 of any one process, at a random moment under load, leaves the rest as it has to.
#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <random>
#include <string>
#include <thread>

#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "installed.hpp"
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

// Of `it` there are so many workers; `other` is always the same.
Config two_listeners(const char* model, unsigned workers = 1) {
  Config config =
      one_listener(model, "echo", {"options: {reply: verbatim}", numbered("workers:", workers)});
  config.top("log: {connections: false}");
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
  const auto port = host.port();
  Load load(tcp_target(port), {.connections = 1'000'000, .at_once = kShort, .long_lived = kLong});
  wait_for_random_moment(load, seed);
  CHECK(host.stop(SIGKILL) == -SIGKILL);
  REQUIRE(wait_until([&] { return is_refused(port); }));
  const std::uint64_t done = load.done();
  REQUIRE(wait_until([&] { return load.done() > done + kShort; }));  // some that began after that
  load.finish();
  const LoadTally tally = load.wait();
  CAPTURE(tally.first_loss);
  CHECK(tally.wrong + tally.late == 0);
  CHECK(tally.refused > 0);
  open.finish();
  const LoadTally kept = open.wait();
  CHECK(kept.whole == kOpen);
  CHECK_MESSAGE(kept.lost() == 0, kept.first_loss);
}

// In one storm: what is asked for while something is under way is done once, afterwards.
TEST_CASE_TEMPLATE("storms of SIGHUP and SIGUSR2 cost no client anything", Model, EACH_MODEL) {
  const std::uint64_t seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const InstalledProgram program;
  HostProcess host(two_listeners(Model::name), {.program = program.path()});
  Load load(tcp_target(host.port()),
            {.connections = 1'000'000, .at_once = kShort, .long_lived = kLong});
  for (int i = 0; i < 60; ++i) {
    host.write_config(two_listeners(Model::name, 1 + static_cast<unsigned>(random() % 2)));
    host.send_signal(random() % 2 == 0 ? SIGHUP : SIGUSR2);
    const std::uint64_t answered = load.answered();
    REQUIRE(wait_until([&] { return load.answered() > answered; }));
  }
  CHECK(wait_until([&] { return has(host.command({"status"}).out, "), serving: "); }));
  CHECK(host.log().count(" serves; listeners: ") > 0);
  load.finish();
  const LoadTally tally = load.wait();
  CHECK_MESSAGE(tally.lost() == 0, tally.first_loss);
}

TEST_CASE_TEMPLATE("whoever kills workers in the midst of reloads costs what they served", Model,
                   EACH_MODEL) {
  constexpr int kReloads = 8;
  const std::uint64_t seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  HostProcess host(two_listeners(Model::name));
  host.allow_error("was killed by SIGKILL");
  host.allow_error("a worker of the new generation did not become ready");
  host.allow_error("nothing has been changed");
  host.allow_error("io_uring cannot be tried here: it crashed (SIGKILL)");  // in the check, that is
  Load elsewhere(tcp_target(host.port("other")),
                 {.connections = 1'000'000, .at_once = kShort, .long_lived = kLong});
  Load load(tcp_target(host.port()),
            {.connections = 1'000'000, .at_once = kShort, .long_lived = kLong});
  std::uint64_t killed = 0;
  for (unsigned i = 1; i <= kReloads; ++i) {
    host.write_config(two_listeners(Model::name, 1 + i % 2));
    host.send_signal(SIGHUP);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));
    // Any of its workers: of the old generation, of the new, one that becomes ready, one that ends;
    // or what checks the config. Four in all: a worker that dies a fifth time has failed.
    auto children = children_of(host.pid());
    std::erase_if(children, [&](const auto& one) { return one.pid == host.worker("other"); });
    if (i % 2 == 0 && !children.empty()) {
      ::kill(children[random() % children.size()].pid, SIGKILL);
      ++killed;
    }
    const std::uint64_t answered = load.answered();
    REQUIRE(wait_until([&] { return load.answered() > answered + 20; }));
  }
  for (Load* each : {&load, &elsewhere}) each->finish();
  const LoadTally others = elsewhere.wait();
  CHECK_MESSAGE(others.lost() == 0, others.first_loss);
  const LoadTally tally = load.wait();
  CAPTURE(tally.first_loss);
  CHECK(tally.lost() == tally.cut);
  CHECK(killed > 0);
  CHECK(tally.cut <= killed * (Model::own_process ? 1 : kShort + kLong));
  // And in the end all is as it was asked for.
  host.write_config(two_listeners(Model::name, 1));
  CHECK(host.command({"reload"}).status == 0);
  CHECK(wait_until([&] { return children_of(host.pid()).size() == 2; }));
}
