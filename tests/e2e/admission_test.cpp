// Who is let in: by address, by source, and how fast.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "client.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

const std::string kOther = "127.0.0.2";

// Whether it was let in.
bool is_served(Client& client) {
  try {
    return client.ask("listener") == "it";
  } catch (const std::exception&) {  // the end of the stream, or a reset
    return false;
  }
}

}  // namespace

TEST_CASE_TEMPLATE("a source has no more connections than it may, and others are served", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {"max_connections_per_source: 2"}));
  Client first(host.port());
  Client second(host.port());
  REQUIRE(is_served(first));
  REQUIRE(is_served(second));
  Client(host.port()).wait_until_closed();
  Client elsewhere(host.port(), kOther);
  CHECK(is_served(elsewhere));
  for (std::size_t ended = 1; ended < 4; ++ended) {
    first.close();
    host.log().wait_for(" ended: ", ended);
    first = Client(host.port());
    REQUIRE(is_served(first));
    Client(host.port()).wait_until_closed();
  }
  CHECK(is_served(second));
  const std::string text =
      host.log().wait_for("127.0.0.1 has as many connections as a source may have, 2").text;
  CHECK(text.rfind("connection from 127.0.0.1:", 0) == 0);
  for (Client* client : {&first, &second, &elsewhere}) client->close();
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(host.log().wait_for_end());
  CHECK(host.log().count("it served 6 connections, 4 denied per source") == 1);
  CHECK(host.log().count("3 more connections denied in the last") == 1);
}

TEST_CASE_TEMPLATE("a source is counted exactly after sessions that crashed", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "faulty", {"max_connections_per_source: 2"}));
  host.expect_error("SIGSEGV");
  for (std::size_t crashed = 1; crashed <= 3; ++crashed) {
    Client crashing(host.port());
    crashing.send("segv");
    crashing.wait_until_closed();
    host.log().wait_for("killed by SIGSEGV", crashed);
    if (!Model::own_process) host.log().wait_for("worker 0 is ready", crashed + 1);
  }
  std::vector<Client> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back(host.port()).send("in");
    REQUIRE(clients.back().read_exactly(2) == "in");
  }
  Client(host.port()).wait_until_closed();
  clients.back().send("still");
  CHECK(clients.back().read_exactly(5) == "still");
}

TEST_CASE_TEMPLATE("two workers count a source together", Model, EACH_MODEL) {
  constexpr int kClients = 40;  // enough that each worker has some
  HostProcess host(
      one_listener(Model::name, "probe", {"workers: 2", "max_connections_per_source: 3"}));
  for (int round = 0; round < 2; ++round) {
    std::vector<Client> clients;
    for (int i = 0; i < kClients; ++i) clients.emplace_back(host.port());
    const auto closed = [](const Client& client) { return client.is_closed(); };
    const auto are_closed = [&](int count) {
      return std::count_if(clients.begin(), clients.end(), closed) == count;
    };
    CHECK(wait_until([&] { return are_closed(kClients - 3); }));
    int served = 0;
    for (auto& client : clients) {
      if (!client.is_closed() && is_served(client)) ++served;
    }
    CHECK(served == 3);
    clients.clear();
    host.log().wait_for(" ended: ", 3u * (static_cast<std::size_t>(round) + 1));
  }
}

TEST_CASE_TEMPLATE("a killed worker gives back what its sources had", Model, EACH_MODEL) {
  HostProcess host(
      one_listener(Model::name, "probe", {"workers: 2", "max_connections_per_source: 20"}));
  host.expect_error("was killed by SIGKILL");
  std::vector<Client> clients;
  for (std::size_t kills = 0; kills < 3; ++kills) {
    for (int i = 0; i < 20; ++i) {
      clients.emplace_back(host.port());
      REQUIRE(is_served(clients.back()));
    }
    Client(host.port()).wait_until_closed();
    for (unsigned worker = 0; worker < 2; ++worker) {
      ::kill(host.worker("it", worker), SIGKILL);
      host.log().wait_for("is ready (pid ", 2 + 2 * kills + worker + 1);
    }
    clients.clear();
  }
}

TEST_CASE_TEMPLATE("only those who are allowed are served, and 'deny' wins", Model, EACH_MODEL) {
  HostProcess host(
      one_listener(Model::name, "probe", {"allow: [127.0.0.0/30, '::1']", "deny: [127.0.0.2]"}));
  Client(host.port(), kOther).wait_until_closed();
  Client(host.port(), "127.0.0.4").wait_until_closed();
  Client allowed(host.port());
  CHECK(allowed.ask("id") == "1");
  const std::string text = host.log().wait_for("its address is in 'deny'").text;
  CHECK(text.rfind("connection from 127.0.0.2:", 0) == 0);
  allowed.close();
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(host.log().wait_for_end());
  CHECK(host.log().count("it served 1 connection, 2 denied by address") == 1);
}

TEST_CASE_TEMPLATE("clients above the rate wait and are all served", Model, EACH_MODEL) {
  constexpr std::size_t kClients = 9;
  HostProcess host(one_listener(Model::name, "probe", {"rate: {connections: 20/s, burst: 3}"}));
  const auto start = std::chrono::steady_clock::now();
  std::vector<Client> clients;
  for (std::size_t i = 0; i < kClients; ++i) clients.emplace_back(host.port()).send("id\n");
  for (auto& client : clients) REQUIRE(!client.read_line().empty());
  CHECK(std::chrono::steady_clock::now() - start >= (kClients - 3) * std::chrono::milliseconds(50));
  CHECK(host.log().count(
            "as many connections as 'rate' allows at a time: further ones wait in the backlog") ==
        1);
}

TEST_CASE_TEMPLATE("two workers share a rate", Model, EACH_MODEL) {
  constexpr std::size_t kClients = 24;
  HostProcess host(one_listener(Model::name, "probe", {"workers: 2", "rate: 40/s"}));
  const auto start = std::chrono::steady_clock::now();
  std::vector<Client> clients;
  for (std::size_t i = 0; i < kClients; ++i) clients.emplace_back(host.port()).send("id\n");
  for (auto& client : clients) REQUIRE(!client.read_line().empty());
  // Each takes one at once.
  CHECK(std::chrono::steady_clock::now() - start >= (kClients - 2) * std::chrono::milliseconds(25));
}

TEST_CASE_TEMPLATE("who waits for the rate is served when the host stops", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {"rate: 1/h"}));
  Client first(host.port());
  REQUIRE(first.ask("id") == "1");
  Client second(host.port());
  second.send("id\n");
  host.log().wait_for("as many connections as 'rate' allows at a time");
  CHECK(!second.has_input());
  host.send_signal(SIGTERM);
  CHECK(second.read_line() == "2");
  first.close();
  second.close();
  CHECK(host.wait_for_exit() == 0);
}
