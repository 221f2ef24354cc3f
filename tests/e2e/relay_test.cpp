// A session with a connection of its own to another server, under every model.
#include <doctest/doctest.h>
#include <signal.h>

#include <string>
#include <thread>
#include <vector>

#include "client.hpp"
#include "fifo.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "tested_build.hpp"
#include "upstream.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

Config relay_to(const std::string& model, const Upstream& server, const std::string& key) {
  return one_listener(model, "c_relay", {"options: {to: " + server.url() + "}", key});
}

}  // namespace

TEST_CASE_TEMPLATE("a relay passes megabytes both ways at once, and each end of a stream", Model,
                   EACH_MODEL) {
  Upstream server;
  HostProcess host(relay_to(Model::name, server, "workers: 1"));
  const std::string much(4'000'000, 'x'), more(6'000'000, 'y');
  Client client(host.port());
  std::string got, answer;
  std::thread behind([&] {
    Client accepted = server.accept();
    std::thread sending([&] {
      accepted.send(more);
      accepted.finish_sending();
    });
    got = accepted.read_to_end();
    sending.join();
  });
  std::thread sending([&] {
    client.send(much);
    client.finish_sending();
  });
  answer = client.read_to_end();
  sending.join();
  behind.join();
  CHECK(got == much);
  CHECK(answer == more);
  host.log().wait_for("ended: 4000000 B in, 6000000 B out", 1);
}

TEST_CASE_TEMPLATE("a client whose server refuses is let go, and the next one is served", Model,
                   EACH_MODEL) {
  Upstream server(Upstream::down);
  HostProcess host(relay_to(Model::name, server, "workers: 1"));
  Client refused(host.port());
  refused.wait_until_closed();
  host.log().wait_for("relay: Connection refused", 1);
  server.listen();
  Client client(host.port());
  client.send("hello\n");
  Client accepted = server.accept();
  CHECK(accepted.read_line() == "hello");
}

TEST_CASE_TEMPLATE("a session that waits for another server ends at session_timeout", Model,
                   EACH_MODEL) {
  Upstream server;
  HostProcess host(relay_to(Model::name, server, "session_timeout: 3s"));
  Client client(host.port());
  client.send("hello\n");
  client.finish_sending();  // from here on only the server is waited for
  Client accepted = server.accept();
  accepted.wait_until_closed();
  client.wait_until_closed();
  host.log().wait_for("it had lasted too long (session_timeout)", 1);
}

TEST_CASE_TEMPLATE("the drain's deadline ends a relay, and its connection to the server", Model,
                   EACH_MODEL) {
  CHECK(counts_once([] {
    Upstream server;
    Config config = relay_to(Model::name, server, "workers: 1");
    HostProcess host(config.top("drain_timeout: 300ms"));
    Client client(host.port());
    client.finish_sending();
    Client accepted = server.accept();
    accepted.send("hello\n");
    CHECK(client.read_line() == "hello");
    host.send_signal(SIGTERM);
    accepted.wait_until_closed();
    client.wait_until_closed();
    CHECK(host.wait_for_exit() == 0);
    if (host.has_killed_sessions()) return false;
    CHECK(host.log().count("cut at the end of the drain") == 1);
    return true;
  }));
}

TEST_CASE_TEMPLATE("relays leave no descriptor behind, whichever side resets", Model, EACH_MODEL) {
  Upstream server;
  HostProcess host(relay_to(Model::name, server, "workers: 1"));
  // Those of ready processes come and go with these.
  const auto descriptors = [&] {
    return open_descriptors(host.worker()) - children_of(host.worker()).size();
  };
  std::size_t before = 0;
  for (int round = 0; round < 30; ++round) {
    Client client(host.port());
    client.send("hello\n");
    Client accepted = server.accept();
    REQUIRE(accepted.read_line() == "hello");
    const bool by_server = round % 2 == 0;
    (by_server ? accepted : client).reset();
    Client& other = by_server ? client : accepted;
    other.wait_until_closed();
    other.close();
    host.log().wait_for(" ended: ", static_cast<std::size_t>(round + 1));
    if (round == 1) before = descriptors();
  }
  CHECK(wait_until([&] { return descriptors() == before; }));
}

TEST_CASE_TEMPLATE("a worker ends in time though a name of its is still being resolved", Model,
                   EACH_MODEL) {
  if (tested_build().sanitized) {
    MESSAGE("left out: a sanitizer has to be the first library that is loaded");
    return;
  }
  Fifo fifo;
  Config config = one_listener(Model::name, "c_relay", {"options: {to: 'tcp://slow.test:80'}"});
  HostProcess host(
      config.top("drain_timeout: 100ms"),
      {.by = {}, .environment = {"LD_PRELOAD=" BERTH_SLOW_NAMES, "SLOW_NAMES=" + fifo.path()}});
  Client client(host.port());
  fifo.wait_for_reader();
  host.allow_error(HostProcess::kOverdue);
  if (Model::own_process) {  // it is killed
    host.expect_error_or("connection 1 from ", HostProcess::kOverdue);
  }
  CHECK(host.stop(SIGTERM) == 0);
  client.wait_until_closed();
  CHECK(host.log().wait_for_end());
  const std::size_t cut = host.log().count("cut at the end of the drain");
  CHECK((cut == (Model::in_loop ? 1 : 0) || host.log().count(HostProcess::kOverdue) > 0));
}
