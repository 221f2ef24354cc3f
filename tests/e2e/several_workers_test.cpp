// Several workers of one listener: each has queues of its own, which the supervisor keeps for it.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "temp_folder.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

// The worker that a process belongs to: itself, or the leader of the group it is in.
pid_t worker_of(const std::string& pid) { return state_of(std::stoi(pid)).group; }

// Clients that ask for the process that serves them, while one of two workers is stopped: those
// whom the kernel has put into its queue have no answer.
struct Divided {
  Divided(HostProcess& host, pid_t stopped, int count) {
    for (int i = 0; i < count; ++i) answered.emplace_back(host.port()).send("pid\n");
    const auto is_answered = [](const Client& client) { return client.has_input(); };
    REQUIRE(wait_until([&] {
      const auto in_queue = listening_sockets(stopped, host.port()).begin()->second;
      return in_queue + std::count_if(answered.begin(), answered.end(), is_answered) == count;
    }));
    const auto first = std::stable_partition(answered.begin(), answered.end(), is_answered);
    std::move(first, answered.end(), std::back_inserter(waiting));
    answered.erase(first, answered.end());
  }

  std::vector<Client> answered;
  std::vector<Client> waiting;
};

// By the processes' numbers: what the log says at their ends that workers have served.
std::map<pid_t, int> served(LogReader& log) {
  static const std::regex form(R"(.*\(pid (\d+)\) has ended; it served (\d+) connections?)");
  std::map<pid_t, int> counts;
  for (const auto& line : log.lines()) {
    std::smatch parts;
    if (std::regex_match(line.text, parts, form)) counts[std::stoi(parts[1])] = std::stoi(parts[2]);
  }
  return counts;
}

}  // namespace

TEST_CASE_TEMPLATE("two workers share the clients and count what they serve", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {"workers: 2"}));
  std::map<pid_t, int> answered;
  for (int i = 0; i < 200; ++i) {
    Client client(host.port());
    ++answered[worker_of(client.ask("pid"))];
  }
  REQUIRE(answered.size() == 2);
  CHECK(answered.count(host.worker("it", 0)) == 1);
  CHECK(answered.count(host.worker("it", 1)) == 1);
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(host.log().wait_for_end());
  CHECK(served(host.log()) == answered);
}

TEST_CASE_TEMPLATE("the log tells what a killed worker has served and was serving", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {"max_connections: 2"}));
  host.expect_error("was killed by SIGKILL; it served 3 connections (open at its last count: 2)");
  host.expect_error("was killed by SIGKILL; it served 0 connections (open at its last count: 0)");
  Client first(host.port());
  REQUIRE(first.ask("id") == "1");
  Client second(host.port());
  REQUIRE(second.ask("id") == "2");
  Client third(host.port());  // waits in the backlog, so that it comes after the end of the first
  first.close();
  REQUIRE(third.ask("id") == "3");
  for (std::size_t start = 2; start < 4; ++start) {
    ::kill(host.worker(), SIGKILL);
    host.log().wait_for("is ready (pid ", start);
  }
}

TEST_CASE_TEMPLATE("a killed worker's queue goes to its successor", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {"workers: 2"}));
  host.expect_error("worker 1 (pid ");
  const pid_t killed = host.worker("it", 1);
  stop_process(killed);
  Divided clients(host, killed, 40);
  REQUIRE(!clients.answered.empty());
  REQUIRE(!clients.waiting.empty());
  ::kill(killed, SIGKILL);
  host.log().wait_for("worker 1 is ready", 2);
  for (auto& client : clients.answered) {
    REQUIRE(worker_of(client.read_line()) == host.worker("it", 0));
  }
  for (auto& client : clients.waiting) {
    REQUIRE(worker_of(client.read_line()) == host.worker("it", 1));
  }
}

TEST_CASE_TEMPLATE("a worker that has failed leaves its clients to the other", Model, EACH_MODEL) {
  CHECK(counts_once([] {
    HostProcess host(one_listener(Model::name, "probe", {"workers: 2"}));
    host.expect_error("worker 1 (pid ");
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t death = 1; death < 5; ++death) {
      ::kill(host.worker("it", 1), SIGKILL);
      host.log().wait_for("worker 1 is ready", death + 1);
    }
    const pid_t last = host.worker("it", 1);
    stop_process(last);
    Divided clients(host, last, 20);
    REQUIRE(!clients.waiting.empty());
    ::kill(last, SIGKILL);
    // With room for the supervisor, which looks at its own clock.
    if (std::chrono::steady_clock::now() - begin > std::chrono::seconds(6)) {
      host.allow_error("worker 1 has died 5 times");
      return false;
    }
    host.expect_error("worker 1 has died 5 times within 10s: it has failed");
    host.log().wait_for("the other workers serve the clients of worker 1");
    for (auto& client : clients.waiting) client.wait_until_closed();
    const pid_t other = host.worker("it", 0);
    for (auto& client : clients.answered) REQUIRE(worker_of(client.read_line()) == other);
    for (int i = 0; i < 40; ++i) REQUIRE(worker_of(Client(host.port()).ask("pid")) == other);
    return true;
  }));
}

TEST_CASE("when all workers have failed clients are refused") {
  HostProcess host(one_listener("select", "dies_in_create", {"workers: 2"}));
  host.expect_error("worker 0 (pid ");
  host.expect_error("worker 1 (pid ");
  host.expect_error("worker 0 has died 5 times");
  host.expect_error("worker 1 has died 5 times");
  host.expect_error("listener 'it' has failed: its clients are refused");
  CHECK(host.log().count("the other workers serve the clients of worker") == 1);
  CHECK(is_refused(host.port()));
}

TEST_CASE_TEMPLATE("a worker has its own listening sockets alone and a session none", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {"workers: 3"}));
  const auto all = listening_sockets(host.pid(), host.port());
  CHECK(all.size() == 3);
  std::map<std::string, int> together;
  for (unsigned index = 0; index < 3; ++index) {
    const auto own = listening_sockets(host.worker("it", index), host.port());
    CHECK(own.size() == 1);
    together.insert(own.begin(), own.end());
  }
  CHECK(together == all);
  Client client(host.port());
  const pid_t session = std::stoi(client.ask("pid"));
  if (Model::own_process) CHECK(listening_sockets(session, host.port()).empty());
}

TEST_CASE("a second host on the addresses of the first is refused and harms nobody") {
  HostProcess host(one_listener("select", "probe", {"workers: 2"}));
  Client client(host.port());
  REQUIRE(client.ask("id") == "1");
  const std::string url = "tcp://" + loopback(host.port());
  const TempFolder folder;
  const std::string file = folder / "second.yaml";
  for (const char* workers : {"workers: 1", "workers: 2"}) {
    write_file(file, one_listener("select", "probe", {"listen: " + url, workers}).text());
    const Outcome second = berth({"run", file});
    CAPTURE(second.err);
    CHECK(second.status == 1);
    CHECK(has(second.err, "listener 'it': cannot bind " + url + ": Address already in use"));
  }
  CHECK(client.ask("id") == "1");
  for (int i = 0; i < 40; ++i) REQUIRE(Client(host.port()).ask("listener") == "it");
}
