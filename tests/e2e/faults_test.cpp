// A fault stays where it happened: in the session, or at worst in the worker of its listener.
#include <doctest/doctest.h>

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

std::string echo(Client& client, const std::string& message) {
  client.send(message);
  return client.read_exactly(message.size());
}

// How the log tells that `client`, connection 1, has made its session crash.
std::string crash_of(const Client& client, bool own_process) {
  const std::string who = "connection 1 from " + client.address();
  return (own_process ? "handler 'faulty' crashed: " : "in handler 'faulty', serving ") + who;
}

// One session of four ends well, one is reset, one throws, one is reset in the middle of a reply.
void bear_with(std::uint16_t port, int clients) {
  for (int i = 0; i < clients; ++i) {
    Client client(port);
    switch (i % 4) {
      case 0:
        REQUIRE(client.ask("listener") == "it");
        break;
      case 1:
        client.reset();
        break;
      case 2:
        client.send("throw\n");
        client.wait_until_closed();
        break;
      default:
        client.send("flood 1000000\n");
        REQUIRE(client.read_exactly(100).size() == 100);
        client.reset();
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("a handler that throws ends its own session alone", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "faulty"));
  host.expect_error("handler 'faulty' failed: thrown on demand");
  host.expect_error("handler 'faulty' failed: an exception that is not a std::exception");
  Client bystander(host.port());
  REQUIRE(echo(bystander, "before") == "before");

  Client at_first(host.port());
  at_first.send("throw");
  CHECK(at_first.read_to_end().empty());
  Client later(host.port());
  REQUIRE(echo(later, "one") == "one");
  REQUIRE(echo(later, "two") == "two");
  later.send("throw int");
  CHECK(later.read_to_end().empty());

  CHECK(echo(bystander, "after") == "after");
  const LogLine line = host.log().wait_for("failed: thrown on demand");
  CHECK(line.text.rfind("connection 2 from 127.0.0.1:", 0) == 0);
  CHECK(host.log().count("is ready (pid ") == 1);
}

TEST_CASE_TEMPLATE("a handler that crashes costs no more than its model says", Model, EACH_MODEL) {
  std::string word, signal;
  SUBCASE("with a segmentation fault") { word = "segv", signal = "SIGSEGV"; }
  SUBCASE("with abort()") { word = "abort", signal = "SIGABRT"; }
  Config config = one_listener(Model::name, "faulty", {"max_connections: 2"});
  config.listener("other", Model::name, "faulty");
  HostProcess host(config);
  Client elsewhere(host.port("other"));
  REQUIRE(echo(elsewhere, "before") == "before");
  Client crashing(host.port());
  REQUIRE(echo(crashing, "before") == "before");
  Client beside(host.port());
  REQUIRE(echo(beside, "before") == "before");
  Client in_queue(host.port());
  in_queue.send("waiting");
  host.expect_error(crash_of(crashing, Model::own_process));

  crashing.send(word);
  crashing.wait_until_closed();
  CHECK(in_queue.read_exactly(7) == "waiting");
  host.log().wait_for("killed by " + signal);
  if (Model::own_process) {
    CHECK(echo(beside, "after") == "after");
    CHECK(host.log().count("listener 'it': worker 0 is ready") == 1);
  } else {
    beside.wait_until_closed();
    host.log().wait_for("listener 'it': worker 0 is ready", 2);
  }
  CHECK(echo(elsewhere, "after") == "after");
}

TEST_CASE_TEMPLATE("a handler that calls exit() costs no more than a crash", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "faulty", {"max_connections: 1"}));
  host.expect_error(Model::own_process ? "handler 'faulty' crashed: connection 1 from 127.0.0.1:"
                                       : "listener 'it': worker 0 (pid ");
  Client leaving(host.port());
  REQUIRE(echo(leaving, "before") == "before");
  Client in_queue(host.port());
  in_queue.send("waiting");
  leaving.send("exit");
  leaving.wait_until_closed();
  CHECK(in_queue.read_exactly(7) == "waiting");
}

TEST_CASE_TEMPLATE("of twenty clients only those whose sessions crash lose anything", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "faulty", {"options: {crash_every: 5}"}));
  host.expect_error("SIGSEGV");
  int lost = 0;
  for (int i = 1; i <= 20; ++i) {
    Client client(host.port());
    client.send("hello");
    if (i % 5 != 0) {
      REQUIRE(client.read_exactly(5) == "hello");
      client.finish_sending();
      REQUIRE(client.read_to_end().empty());
    } else {
      client.wait_until_closed();
      ++lost;
    }
  }
  CHECK(lost == 4);
}

TEST_CASE_TEMPLATE("a client that resets in the middle of a reply harms nobody", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  Client bystander(host.port());
  REQUIRE(bystander.ask("id") == "1");
  Client leaving(host.port());
  leaving.send("flood 10000000\n");
  REQUIRE(leaving.read_exactly(1000).size() == 1000);
  leaving.reset();
  const std::string end = host.log().wait_for("connection 2 from 127.0.0.1", 3).text;
  CHECK((end.find("Connection reset by peer") != end.npos || end.find("Broken pipe") != end.npos));
  CHECK(bystander.ask("id") == "1");
  CHECK(host.log().count("is ready (pid ") == 1);
}

TEST_CASE_TEMPLATE("sessions leave no descriptor and no object behind however they end", Model,
                   EACH_MODEL) {
  constexpr int kWarmUp = 12;
  constexpr int kClients = 200;
  HostProcess host(one_listener(Model::name, "probe"));
  host.expect_error("handler 'probe' failed: thrown on demand");
  bear_with(host.port(), kWarmUp);
  host.log().wait_for(" ended: ", kWarmUp);
  // But one for each process that waits for its next connection, as under prefork.
  const auto descriptors = [&] {
    return open_descriptors(host.worker()) - children_of(host.worker()).size();
  };
  const auto before = descriptors();
  bear_with(host.port(), kClients);
  host.log().wait_for(" ended: ", kWarmUp + kClients);
  CHECK(host.log().count("session destroyed") == kWarmUp + kClients);
  CHECK(wait_until([&] { return descriptors() == before; }));
  CHECK(Client(host.port()).ask("live") == "1");
  CHECK(host.log().count("is ready (pid ") == 1);
}

TEST_CASE_TEMPLATE("a worker whose listening socket was undone says so and is replaced at once",
                   Model, e2e::Thread, e2e::ThreadPool, e2e::Select, e2e::Epoll, e2e::IoUring) {
  // No less than the test's patience: were it for want of a sign of life, it would come too late.
  HostProcess host(one_listener(Model::name, "faulty", {"heartbeat_timeout: 60s"}));
  host.expect_error("worker 0 cannot go on: cannot accept any more: Invalid argument");
  host.allow_error("ended (exit status 1)");
  const pid_t before = host.worker();
  Client client(host.port());
  client.send("deafen");
  host.log().wait_for("is ready (pid ", 2);
  host.log().wait_for("cannot go on");
  CHECK(host.worker() != before);
}

TEST_CASE("a handler that dies at each start is given up and the other listeners serve on") {
  Config config;
  config.listener("dying", "select", "dies_in_create");
  config.listener("fine", "select", "faulty");
  HostProcess host(config);
  host.expect_error("listener 'dying': worker 0 (pid ");
  host.expect_error("has died 5 times within 10s: it has failed and is not started again");
  host.expect_error("listener 'dying' has failed: its clients are refused");
  Client client(host.port("fine"));
  CHECK(echo(client, "meanwhile") == "meanwhile");
  CHECK(host.log().wait_for("has failed and is not started again").level == "crit");
  CHECK(host.log().count("was killed by SIGABRT") == 5);
  CHECK(children_of(host.pid()).size() == 1);
  CHECK(is_refused(host.port("dying")));
  CHECK(echo(client, "afterwards") == "afterwards");
  CHECK(cpu_share(host.pid()) < 0.05);
}

TEST_CASE("a handler that refuses to be created is told with its reason") {
  Config config;
  config.listener("refusing", "thread", "faulty", {"options: {refuse: true}"});
  config.listener("fine", "thread", "faulty");
  HostProcess host(config);
  host.expect_error(
      "listener 'refusing': worker 0 cannot start: handler 'faulty' refuses: it was told to "
      "refuse");
  host.expect_error("listener 'refusing': worker 0 (pid ");
  host.expect_error("has failed and is not started again");
  host.expect_error("listener 'refusing' has failed: its clients are refused");
  host.log().wait_for("has failed and is not started again");
  Client client(host.port("fine"));
  CHECK(echo(client, "hello") == "hello");
}
