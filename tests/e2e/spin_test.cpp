// A handler that calculates for ever holds up nobody for long.
#include <doctest/doctest.h>
#include <signal.h>

#include <string>

#include "client.hpp"
#include "host_process.hpp"
#include "models.hpp"

using namespace e2e;

namespace {

std::string echo(Client& client, const std::string& message) {
  client.send(message);
  return client.read_exactly(message.size());
}

}  // namespace

TEST_CASE_TEMPLATE("a handler that spins for ever is named and loses its loop's worker", Model,
                   e2e::Select, e2e::Epoll, e2e::IoUring) {
  Config config = one_listener(Model::name, "faulty", {"heartbeat_timeout: 3s"});
  config.listener("other", Model::name, "faulty");
  HostProcess host(config);
  host.expect_error("has given no sign of life for 3s: it is stopped, or handler 'faulty' holds");
  host.expect_error("was killed by SIGKILL");
  Client spinning(host.port());
  spinning.send("spin");
  REQUIRE(spinning.read_exactly(8) == "spinning");
  Client other(host.port("other"));
  CHECK(echo(other, "meanwhile") == "meanwhile");
  Client next(host.port());
  CHECK(echo(next, "after") == "after");
  spinning.wait_until_closed();
  host.log().wait_for("listener 'it': worker 0 is ready", 2);
}

TEST_CASE_TEMPLATE("a handler that spins has its own processor time alone", Model, e2e::Fork,
                   e2e::SignalFork, e2e::Thread) {
  HostProcess host(one_listener(Model::name, "faulty").top("drain_timeout: 100ms"));
  Client beside(host.port());
  REQUIRE(echo(beside, "before") == "before");
  Client spinning(host.port());
  spinning.send("spin");
  REQUIRE(spinning.read_exactly(8) == "spinning");
  CHECK(echo(beside, "meanwhile") == "meanwhile");
  Client next(host.port());
  CHECK(echo(next, "after") == "after");
  CHECK(host.log().count("is ready (pid ") == 1);
  // Nothing but the end of its process ends it.
  host.allow_error(HostProcess::kOverdue);
  if (Model::own_process) {
    host.expect_error_or("handler 'faulty' crashed: connection 2 from ", HostProcess::kOverdue);
  }
  CHECK(host.stop(SIGTERM) == 0);
  spinning.wait_until_closed();
}
