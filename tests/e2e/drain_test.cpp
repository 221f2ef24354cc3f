// How a host stops: in order, or at once.
#include <doctest/doctest.h>
#include <signal.h>

#include <string>

#include "client.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "wait_for.hpp"

using namespace e2e;

TEST_CASE_TEMPLATE("open connections go on after SIGTERM and no new ones come", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  const auto port = host.port();
  Client client(port);
  REQUIRE(client.ask("stopping") == "no");
  host.send_signal(SIGTERM);
  host.log().wait_for("draining: 1 connections");
  CHECK(wait_until([&] { return is_refused(port); }));
  CHECK(client.ask("stopping") == "yes");
  CHECK(client.ask("sleep 50") == "slept");
  client.close();
  CHECK(host.wait_for_exit() == 0);
  CHECK(host.log().wait_for_end());  // what it said last may still be on its way
  CHECK(host.log().count("session destroyed") == 1);
  CHECK(host.log().count("berth has stopped") == 1);
}

TEST_CASE_TEMPLATE("sessions that last longer than drain_timeout are ended in order", Model,
                   EACH_MODEL) {
  CHECK(counts_once([] {
    HostProcess host(one_listener(Model::name, "probe").top("drain_timeout: 200ms"));
    Client reading(host.port());
    REQUIRE(reading.ask("id") == "1");
    Client sleeping(host.port());
    sleeping.send("sleep 60000\n");
    Client deaf(host.port());
    deaf.send("flood 50000000\n");
    REQUIRE(deaf.read_exactly(1).size() == 1);
    CHECK(host.stop(SIGTERM) == 0);
    if (host.has_killed_sessions()) return false;
    CHECK(host.log().count("session destroyed") == 3);
    CHECK(host.log().count("cut at the end of the drain") == 3);
    reading.wait_until_closed();
    sleeping.wait_until_closed();
    return true;
  }));
}

TEST_CASE_TEMPLATE("a read that may end with the drain ends at once", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  Client client(host.port());
  REQUIRE(client.ask("until-stop") == "reading");
  host.send_signal(SIGTERM);
  CHECK(client.read_line() == "stopped");
  client.close();
  CHECK(host.wait_for_exit() == 0);
}

TEST_CASE_TEMPLATE("a client that waits in the queue when the drain begins is served", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  const pid_t worker = host.worker();
  stop_process(worker);
  Client client(host.port());
  client.send("listener\n");
  host.send_signal(SIGTERM);
  host.log().wait_for("SIGTERM: draining");
  ::kill(worker, SIGCONT);
  CHECK(client.read_line() == "it");
  client.close();
  CHECK(host.wait_for_exit() == 0);
}

TEST_CASE_TEMPLATE("a handler that never comes back cannot hold up the end", Model, EACH_MODEL) {
  Config config = one_listener(Model::name, "probe");
  HostProcess host(config.top("drain_timeout: 100ms"));
  Client client(host.port());
  REQUIRE(client.ask("block 600000") == "blocking");
  if (Model::own_process) host.expect_error_or("connection 1 from ", HostProcess::kOverdue);
  Model::in_loop ? host.expect_error(HostProcess::kOverdue)
                 : host.allow_error(HostProcess::kOverdue);
  CHECK(host.stop(SIGTERM) == 0);
}

TEST_CASE_TEMPLATE("a second SIGINT ends a drain at once", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  Client client(host.port());
  REQUIRE(client.ask("id") == "1");
  host.send_signal(SIGINT);
  host.log().wait_for("draining: 1 connections");
  CHECK(client.ask("id") == "1");
  host.send_signal(SIGINT);
  client.wait_until_closed();
  CHECK(host.wait_for_exit() == 0);
}

TEST_CASE_TEMPLATE("SIGQUIT ends all at once", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  Client client(host.port());
  REQUIRE(client.ask("id") == "1");
  CHECK(host.stop(SIGQUIT) == 0);
  client.wait_until_closed();
  CHECK(host.log().count("draining") == 0);
}

TEST_CASE_TEMPLATE("a Ctrl-C at the terminal lets sessions finish", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  Client client(host.port());
  REQUIRE(client.ask("id") == "1");
  ::kill(-host.pid(), SIGINT);  // what the terminal does: the whole foreground group
  host.log().wait_for("draining: 1 connections");
  CHECK(client.ask("id") == "1");
  client.close();
  CHECK(host.wait_for_exit() == 0);
}

// Any thread of a process may be given a signal for it (man 7 signal).
TEST_CASE_TEMPLATE("a session is told to drain through whichever of its threads", Model, e2e::Fork,
                   e2e::SignalFork, e2e::Prefork) {
  HostProcess host(one_listener(Model::name, "probe"));
  Client client(host.port());
  CHECK(client.ask("term-in-thread") == "raised");
  CHECK(client.ask("stopping") == "yes");
  CHECK(Client(host.port()).ask("stopping") == "no");
}

TEST_CASE("a host without connections stops at once") {
  HostProcess host(one_listener("fork", "probe"));
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(host.log().count("SIGTERM: draining, at most 30s") == 1);
}
