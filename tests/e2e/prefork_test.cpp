// Processes that wait for connections.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

Config prefork(const std::string& handler, Config::Keys keys) {
  return one_listener("prefork", handler, keys);
}

bool has_children(pid_t worker, std::size_t count) {
  return wait_until([&] { return children_of(worker).size() == count; });
}

}  // namespace

TEST_CASE("as many processes wait as are to be spare, and others take the place of the busy") {
  HostProcess host(prefork("probe", {"spare: 3"}));
  CHECK(has_children(host.worker(), 3));
  std::vector<Client> clients;
  std::set<std::string> processes;
  for (std::size_t i = 0; i < 5; ++i) {
    clients.emplace_back(host.port());
    processes.insert(clients.back().ask("pid"));
    CHECK(has_children(host.worker(), i + 1 + 3));
  }
  CHECK(processes.size() == 5);
  CHECK(processes.count(std::to_string(host.worker())) == 0);
}

TEST_CASE("a process serves one connection after another, until it has served as many as it may") {
  HostProcess host(prefork("probe", {"spare: 1", "connections_per_process: 3"}));
  std::vector<std::string> processes;
  for (int i = 0; i < 12; ++i) {
    Client client(host.port());
    processes.push_back(client.ask("pid"));
    client.finish_sending();
    CHECK(client.read_to_end().empty());
    host.log().wait_for(" ended: ", static_cast<std::size_t>(i) + 1);
  }
  for (const std::string& process : std::set<std::string>(processes.begin(), processes.end())) {
    CHECK(std::count(processes.begin(), processes.end(), process) <= 3);
  }
  CHECK(std::set<std::string>(processes.begin(), processes.end()).size() < 12);
}

TEST_CASE(
    "a process that a crash has ended is replaced, and one that waits and is killed as well") {
  HostProcess host(prefork("faulty", {"spare: 2"}));
  host.expect_error("handler 'faulty' crashed: connection 1 from");
  Client client(host.port());
  client.send("segv");
  client.wait_until_closed();
  host.log().wait_for("crashed: connection 1 from");
  REQUIRE(has_children(host.worker(), 2));
  ::kill(children_of(host.worker()).front().pid, SIGKILL);
  host.log().wait_for("a process that waited for a connection has been killed by SIGKILL");
  CHECK(has_children(host.worker(), 2));
  Client next(host.port());
  next.send("hello");
  CHECK(next.read_exactly(5) == "hello");
}

TEST_CASE("processes that wait end with their worker, whoever has ended it") {
  HostProcess host(prefork("probe", {"spare: 4"}));
  host.expect_error("was killed by SIGKILL");
  REQUIRE(has_children(host.worker(), 4));
  const auto waiting = children_of(host.worker());
  const pid_t worker = host.worker();
  ::kill(worker, SIGKILL);
  for (const auto& process : waiting) {
    CHECK(wait_until([&] {
      const ProcessState now = state_of(process.pid);
      return now.group != worker || now.state == 'Z' || now.state == '?';
    }));
  }
  CHECK(wait_until([&] { return host.worker() != worker; }));
  CHECK(Client(host.port()).ask("id") == "1");
}

TEST_CASE("where no descriptor is left for a process to stay, it serves one client all the same") {
  HostProcess host(prefork("probe", {"spare: 1", as_this_user()}));
  REQUIRE(has_children(host.worker(), 1));
  const auto most = static_cast<rlim_t>(next_descriptor(host.worker())) + 1;
  const rlimit limit{most, most};
  REQUIRE(::prlimit(host.worker(), RLIMIT_NOFILE, &limit, nullptr) == 0);
  std::vector<Client> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back(host.port());
    CHECK(clients.back().ask("id") == std::to_string(i + 1));
  }
  CHECK(host.log().count("is closed: ") == 0);
}

TEST_CASE("a session that is ended at session_timeout takes its process with it") {
  HostProcess host(prefork("probe", {"spare: 1", "session_timeout: 3s"}));
  Client client(host.port());
  const std::string process = client.ask("pid");
  client.wait_until_closed();
  CHECK(wait_until([&] { return state_of(std::stoi(process)).parent != host.worker(); }));
  CHECK(Client(host.port()).ask("id") == "2");
}

TEST_CASE("after a rotation of the log no process writes to the old file") {
  const TempFolder folder;
  const std::string file = folder / "log";
  Config config = prefork("probe", {"spare: 2"});
  HostProcess host(config);
  host.write_config(config.top("log: {file: " + file + "}"));
  REQUIRE(host.command({"reload"}).status == 0);
  Client client(host.port());
  CHECK(client.ask("id") == "1");
  std::filesystem::rename(file, folder / "old");
  host.send_signal(SIGUSR1);
  CHECK(wait_until([&] { return has(contents(file), "log reopened"); }));
  client.close();
  CHECK(wait_until([&] { return has(contents(file), "connection 1 from 127.0.0.1"); }));
  const std::string old = contents(folder / "old");  // a session that was open may have added to it
  for (int i = 0; i < 6; ++i) CHECK(Client(host.port()).ask("listener") == "it");
  CHECK(wait_until([&] { return has(contents(file), "connection 7 from"); }));
  CHECK(contents(folder / "old") == old);
}

TEST_CASE("what waits is let go when the host stops, and nothing is said of it") {
  HostProcess host(prefork("probe", {"spare: 5"}));
  REQUIRE(has_children(host.worker(), 5));
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(host.log().wait_for_end());
  CHECK(host.log().count("a process that waited") == 0);
  CHECK(host.log().count("outlived") == 0);
}
