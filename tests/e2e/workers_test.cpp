// The supervisor and its workers: who is whose child, what happens when one dies or hangs.
#include <doctest/doctest.h>
#include <signal.h>

#include <string>
#include <vector>

#include "client.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "tested_build.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

int zombies_of(pid_t parent) {
  int count = 0;
  for (const auto& child : children_of(parent)) count += child.state == 'Z' ? 1 : 0;
  return count;
}

// Eight clients at once, each asked something; to be closed together.
std::vector<Client> eight_served(std::uint16_t port) {
  std::vector<Client> clients;
  for (int i = 0; i < 8; ++i) clients.emplace_back(port);
  for (auto& client : clients) REQUIRE(client.ask("listener") == "it");
  return clients;
}

}  // namespace

TEST_CASE_TEMPLATE("a killed worker is replaced and its processes' sessions go on", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  host.expect_error("was killed by SIGKILL");
  Client before(host.port());
  REQUIRE(before.ask("id") == "1");
  ::kill(host.worker(), SIGKILL);
  host.log().wait_for("was killed by SIGKILL");
  Client next(host.port());
  CHECK(next.ask("id") == "1");
  host.log().wait_for("is ready (pid ", 2);
  if (Model::own_process) {
    CHECK(before.ask("id") == "1");
  } else {
    before.wait_until_closed();
  }
}

TEST_CASE_TEMPLATE("sessions whose worker was killed are drained with the rest", Model,
                   EACH_MODEL) {
  if (!Model::own_process) return;
  HostProcess host(one_listener(Model::name, "probe"));
  host.expect_error("was killed by SIGKILL");
  Client orphan(host.port());
  REQUIRE(orphan.ask("id") == "1");
  ::kill(host.worker(), SIGKILL);
  host.log().wait_for("is ready (pid ", 2);
  host.send_signal(SIGTERM);
  host.log().wait_for("SIGTERM: draining");
  CHECK(wait_until([&] { return orphan.ask("stopping") == "yes"; }));
  orphan.close();
  CHECK(host.wait_for_exit() == 0);
}

TEST_CASE_TEMPLATE("when the supervisor is killed workers drain and nothing is left", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  host.expect_error("the supervisor is gone: draining");
  Client client(host.port());
  REQUIRE(client.ask("id") == "1");
  CHECK(host.stop(SIGKILL) == -SIGKILL);
  host.log().wait_for("the supervisor is gone");
  CHECK(wait_until([&] { return client.ask("stopping") == "yes"; }));
  client.close();
}

TEST_CASE_TEMPLATE("a worker that is stopped is noticed and replaced", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {"heartbeat_timeout: 3s"}));
  host.expect_error("has given no sign of life for 3s");
  host.expect_error("was killed by SIGKILL");
  ::kill(host.worker(), SIGSTOP);
  Client client(host.port());
  CHECK(client.ask("id") == "1");
  host.log().wait_for("is ready (pid ", 2);
}

TEST_CASE_TEMPLATE("a worker leads a process group that holds its sessions", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  Client client(host.port());
  const pid_t session = std::stoi(client.ask("pid"));
  CHECK(state_of(host.worker()).parent == host.pid());
  CHECK(state_of(host.worker()).group == host.worker());
  CHECK(state_of(session).group == host.worker());
  CHECK(state_of(host.pid()).group == host.pid());
}

TEST_CASE_TEMPLATE("processes of sessions are gone without a further client", Model, e2e::Fork,
                   e2e::SignalFork) {
  HostProcess host(one_listener(Model::name, "probe"));
  for (int round = 0; round < 3; ++round) {
    eight_served(host.port()).clear();
    CHECK(wait_until([&] { return children_of(host.worker()).empty(); }));
  }
  CHECK(zombies_of(host.pid()) == 0);
}

TEST_CASE("not one zombie is seen under signal-fork") {
  HostProcess host(one_listener("signal-fork", "probe"));
  const pid_t worker = host.worker();
  for (std::size_t round = 1; round <= 3; ++round) {
    {
      const auto clients = eight_served(host.port());
      stop_process(worker);
    }
    // Nobody but the kernel can have reaped them.
    CHECK(wait_until([&] { return children_of(worker).empty(); }));
    ::kill(worker, SIGCONT);
    host.log().wait_for(" ended: ", 8 * round);
  }
}

TEST_CASE("one thread of one process serves both addresses of a select listener") {
  Config config =
      one_listener("select", "probe", {"listen: [tcp://127.0.0.1:0, tcp://127.0.0.1:0]"});
  HostProcess host(config.top("drain_timeout: 50ms"));  // nobody waits for the sleep to end
  Client one(host.port("it", 0));
  Client two(host.port("it", 1));
  REQUIRE(host.port("it", 0) != host.port("it", 1));
  CHECK(one.ask("pid") == std::to_string(host.worker()));
  CHECK(two.ask("pid") == std::to_string(host.worker()));
  CHECK(one.ask("threads") == "1");
  one.send("sleep 60000\n");
  CHECK(two.ask("local") == loopback(host.port("it", 1)));
  one.reset();
}

TEST_CASE_TEMPLATE("a worker has as many threads as its model says", Model, EACH_MODEL) {
  if (tested_build().sanitized) return;  // ThreadSanitizer has threads of its own
  HostProcess host(one_listener(Model::name, "probe"));
  Client one(host.port());
  Client two(host.port());
  REQUIRE(one.ask("id") == "1");
  const bool threads = !Model::own_process && !Model::in_loop;
  CHECK(two.ask("threads") == (threads ? "3" : "1"));
}
