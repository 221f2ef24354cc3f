// The running binary is replaced by another.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <string>

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

constexpr int kUpgrades = 4;

bool runs(const HostProcess& host, const InstalledProgram& program) {
  return std::filesystem::equivalent("/proc/" + std::to_string(host.pid()) + "/exe",
                                     program.path());
}

}  // namespace

TEST_CASE_TEMPLATE("under load no upgrade costs a connection or a part of a reply", Model,
                   EACH_MODEL) {
  const InstalledProgram program;
  HostProcess host(one_listener(Model::name, "echo", {"options: {reply: verbatim}", "workers: 2"}),
                   {.program = program.path()});
  LoadPlan plan;
  plan.connections = 1'000'000;  // finish() ends it
  plan.at_once = 8;
  plan.long_lived = 8;
  Load load(tcp_target(host.port()), plan);
  for (int round = 1; round <= kUpgrades; ++round) {
    const auto answered = load.answered();
    program.install_again();
    const Outcome outcome = host.command({"upgrade"});
    CHECK_MESSAGE(outcome.status == 0, outcome.err);
    CHECK_MESSAGE(runs(host, program), host.log().whole());
    CHECK(wait_until([&] { return load.answered() > answered + 50; }));
  }
  load.finish();
  const LoadTally tally = load.wait();
  CHECK_MESSAGE(tally.lost() == 0, tally.lost(), " lost; the first: ", tally.first_loss);
}

TEST_CASE_TEMPLATE("connections of before an upgrade go on, with the workers of before", Model,
                   EACH_MODEL) {
  const InstalledProgram program;
  HostProcess host(one_listener(Model::name, "probe"), {.program = program.path()});
  const pid_t before = host.worker();
  Client client(host.port());
  CHECK(client.ask("stopping") == "no");
  host.send_signal(SIGUSR2);
  host.log().wait_for("generation 2 serves");
  host.log().wait_for("draining: 1 connections");
  CHECK(host.worker() != before);
  CHECK(client.ask("stopping") == "yes");
  CHECK(Client(host.port()).ask("stopping") == "no");
  CHECK(has(host.command({"status"}).out, "draining"));
  client.close();
  host.log().wait_for("worker 0 (pid " + std::to_string(before) + ") has ended");
}

TEST_CASE("upgrades leave no descriptor open") {
  const InstalledProgram program;
  HostProcess host(one_listener("epoll", "probe"), {.program = program.path()});
  CHECK(host.command({"upgrade"}).status == 0);
  host.log().wait_for("has ended");
  const auto open = open_descriptors(host.pid());
  for (std::size_t round = 2; round < 5; ++round) {
    CHECK(host.command({"upgrade"}).status == 0);
    host.log().wait_for("has ended", round);
  }
  CHECK(wait_until([&] { return open_descriptors(host.pid()) <= open; }));
}

TEST_CASE("a binary that cannot take over changes nothing") {
  const InstalledProgram program;
  HostProcess host(one_listener("epoll", "probe"), {.program = program.path()});
  const pid_t worker = host.worker();
  Client client(host.port());
  CHECK(client.ask("id") == "1");
  SUBCASE("another program") { program.install("/bin/true"); }
  SUBCASE("no program at all") { program.install_text("\177garbage"); }
  SUBCASE("one that crashes") { program.install_text("#!/bin/sh\nkill -SEGV $$\n"); }
  SUBCASE("one that is not there") { std::filesystem::remove(program.path()); }
  host.expect_error(program.path());
  host.expect_error("nothing has been changed");
  const Outcome outcome = host.command({"upgrade"});
  CHECK(outcome.status == 1);
  CHECK(has(outcome.err, program.path()));
  CHECK(host.worker() == worker);
  CHECK(client.ask("stopping") == "no");
}

TEST_CASE("a binary that is replaced while an upgrade waits is not run unchecked") {
  const InstalledProgram program;
  HostProcess host(one_listener("epoll", "probe"), {.program = program.path()});
  Client client(host.port());
  CHECK(client.ask("id") == "1");
  host.write_config(one_listener("thread", "probe"));
  CHECK(host.command({"reload"}).status == 0);
  host.send_signal(SIGUSR2);
  host.log().wait_for("the upgrade waits for listeners of an older generation");
  program.install("/bin/true");
  host.expect_error("has been replaced since it was checked");
  host.expect_error("nothing has been changed");
  client.close();
  host.log().wait_for("nothing has been changed");
  CHECK(Client(host.port()).ask("stopping") == "no");
}

TEST_CASE("an upgrade needs no descriptor that the host may not have") {
  const InstalledProgram program;
  HostProcess host(one_listener("epoll", "probe", {as_this_user()}), {.program = program.path()});
  rlimit before{};
  REQUIRE(::prlimit(host.pid(), RLIMIT_NOFILE, nullptr, &before) == 0);
  const rlimit few = {open_descriptors(host.pid()) + 6, before.rlim_max};
  REQUIRE(::prlimit(host.pid(), RLIMIT_NOFILE, &few, nullptr) == 0);
  host.allow_error("Too many open files");
  host.allow_error("nothing has been changed");
  (void)host.command({"upgrade"});
  rlimit after{};
  REQUIRE(::prlimit(host.pid(), RLIMIT_NOFILE, nullptr, &after) == 0);
  CHECK(after.rlim_cur == few.rlim_cur);
  REQUIRE(::prlimit(host.pid(), RLIMIT_NOFILE, &before, nullptr) == 0);
  CHECK(Client(host.port()).ask("stopping") == "no");
}

TEST_CASE("an upgrade with a config that is wrong by now changes nothing") {
  const InstalledProgram program;
  HostProcess host(one_listener("epoll", "probe"), {.program = program.path()});
  const pid_t worker = host.worker();
  Config bad = one_listener("epoll", "probe");
  host.write_config(bad.top("nonsense: 1"));
  host.expect_error("nonsense");
  host.expect_error("nothing has been changed");
  const Outcome outcome = host.command({"upgrade"});
  CHECK(outcome.status == 1);
  CHECK(has(outcome.err, "nonsense"));
  CHECK(host.worker() == worker);
}

TEST_CASE("a listener that is out of service stays so over an upgrade") {
  const InstalledProgram program;
  HostProcess host(one_listener("epoll", "probe"), {.program = program.path()});
  const auto port = host.port();
  CHECK(host.command({"drain", "it"}).status == 0);
  CHECK(host.command({"upgrade"}).status == 0);
  CHECK(is_refused(port));
  CHECK(has(host.command({"status"}).out, "suspended"));
  CHECK(host.command({"resume", "it"}).status == 0);
  CHECK(Client(port).ask("stopping") == "no");
}

TEST_CASE_TEMPLATE("a worker that dies after an upgrade is started again", Model, EACH_MODEL) {
  const InstalledProgram program;
  HostProcess host(one_listener(Model::name, "probe"), {.program = program.path()});
  CHECK(host.command({"upgrade"}).status == 0);
  const pid_t worker = host.worker();
  host.expect_error("was killed by SIGKILL");
  ::kill(worker, SIGKILL);
  CHECK(wait_until([&] { return host.worker() != worker; }));
  CHECK(Client(host.port()).ask("stopping") == "no");
}

TEST_CASE_TEMPLATE("kill -9 of the supervisor after an upgrade leaves nothing behind", Model,
                   EACH_MODEL) {
  const InstalledProgram program;
  HostProcess host(one_listener(Model::name, "probe"), {.program = program.path()});
  const auto port = host.port();
  Client client(port);
  CHECK(client.ask("stopping") == "no");
  CHECK(host.command({"upgrade"}).status == 0);
  Client later(port);
  CHECK(later.ask("stopping") == "no");
  host.expect_error("the supervisor is gone: draining");
  CHECK(host.stop(SIGKILL) == -SIGKILL);
  host.log().wait_for("draining: 1 connections", 2);
  CHECK(client.ask("stopping") == "yes");
  CHECK(wait_until([&] { return is_refused(port); }));
  CHECK(later.ask("stopping") == "yes");
}
