// `sync`: one connection after another.
#include <doctest/doctest.h>
#include <signal.h>

#include <regex>
#include <string>

#include "client.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "strace.hpp"
#include "tested_build.hpp"
#include "wait_for.hpp"

using namespace e2e;

TEST_CASE("under sync the next client is served when the one before it is through") {
  HostProcess host(one_listener("sync", "probe"));
  Client first(host.port());
  CHECK(first.ask("id") == "1");
  Client second(host.port());
  second.send("id\n");
  CHECK(first.ask("listener") == "it");
  CHECK_FALSE(second.has_input());
  first.close();
  CHECK(second.read_line() == "2");
}

TEST_CASE("under sync all are served by one thread of one process") {
  HostProcess host(one_listener("sync", "probe"));
  for (int i = 1; i <= 20; ++i) {
    Client client(host.port());
    CHECK(client.ask("id") == std::to_string(i));
    CHECK(client.ask("pid") == std::to_string(host.worker()));
    if (!tested_build().sanitized) CHECK(client.ask("threads") == "2");  // the other turns the loop
  }
}

TEST_CASE("under sync the thread that serves takes its next connection itself") {
  LEAVE_OUT_UNLESS_TRACEABLE();
  HostProcess host(one_listener("sync", "probe"));
  CHECK(Client(host.port()).ask("id") == "1");
  host.log().wait_for(" ended: ");
  Strace strace(host.worker(), {"trace=accept4"});
  for (std::size_t i = 2; i <= 6; ++i) {
    CHECK(Client(host.port()).ask("id") == std::to_string(i));
    host.log().wait_for(" ended: ", i);
  }
  strace.stop();
  const std::regex form(R"(\[pid +(\d+)\] .*accept4\(.*)");
  std::size_t accepted = 0, by_main_thread = 0;
  for (const auto& line : strace.calls().lines()) {
    std::smatch parts;
    if (!std::regex_match(line.whole, parts, form)) continue;
    ++accepted;
    by_main_thread += parts[1] == std::to_string(host.worker()) ? 1 : 0;
  }
  CHECK(accepted == 5);
  CHECK(by_main_thread <= 1);  // where the first had just ended
  CHECK(host.stop(SIGTERM) == 0);
}

TEST_CASE("under sync neither those who are denied nor a rate keep others from being served") {
  HostProcess host(
      one_listener("sync", "probe", {"deny: [127.0.0.2]", "rate: {connections: 50/s, burst: 2}"}));
  for (int i = 1; i <= 8; ++i) {
    Client(host.port(), "127.0.0.2").wait_until_closed();
    Client client(host.port());
    CHECK(client.ask("id") == std::to_string(i));
  }
}

TEST_CASE("with several workers sync serves as many at once") {
  HostProcess host(one_listener("sync", "probe", {"workers: 2"}));
  std::vector<Client> clients;
  // The kernel chooses whose queue each waits in.
  for (int i = 0; i < 16; ++i) clients.emplace_back(host.port()).send("pid\n");
  std::size_t served = 0;
  CHECK(wait_until([&] {
    served = 0;
    for (auto& client : clients) served += client.has_input() ? 1 : 0;
    return served == 2;
  }));
  for (auto& client : clients) client.close();
}

TEST_CASE("a sync worker whose handler crashes is started again, and the next client served") {
  HostProcess host(one_listener("sync", "faulty"));
  host.expect_error("SIGSEGV");
  Client first(host.port());
  first.send("segv");
  Client second(host.port());
  second.send("hello");
  first.wait_until_closed();
  CHECK(second.read_exactly(5) == "hello");
}

TEST_CASE(
    "under sync who is served when the host stops is served to the end, who waits is let go") {
  HostProcess host(one_listener("sync", "probe"));
  Client first(host.port());
  CHECK(first.ask("id") == "1");
  Client second(host.port());
  host.send_signal(SIGTERM);
  host.log().wait_for("draining: 1 connections");
  second.wait_until_closed();
  CHECK(first.ask("stopping") == "yes");
  first.close();
  CHECK(host.wait_for_exit() == 0);
}

TEST_CASE("a thread-pool serves as many at once as it has threads, and keeps them") {
  HostProcess host(one_listener("thread-pool", "probe", {"threads: 2"}));
  Client first(host.port());
  Client second(host.port());
  CHECK(first.ask("id") == "1");
  CHECK(second.ask("id") == "2");
  Client third(host.port());
  third.send("id\n");
  CHECK(first.ask("listener") == "it");
  CHECK_FALSE(third.has_input());
  second.close();
  CHECK(third.read_line() == "3");
  if (!tested_build().sanitized) CHECK(third.ask("threads") == "3");
}
