// What a listener takes and no more: connections, silence, descriptors.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/select.h>

#include <algorithm>
#include <regex>
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

void limit_descriptors(pid_t pid, rlim_t most) {
  rlimit limit{};
  REQUIRE(::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0);
  limit.rlim_cur = most;
  REQUIRE(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) == 0);
}

// The most connections that the log says were open at the same time.
int most_at_once(LogReader& log) {
  static const std::regex opened(R"(connection \d+ from \S+)");
  int open = 0;
  int most = 0;
  for (const auto& line : log.lines()) {
    if (std::regex_match(line.text, opened)) most = std::max(most, ++open);
    if (line.text.find(" ended: ") != std::string::npos) --open;
  }
  return most;
}

}  // namespace

TEST_CASE_TEMPLATE("the fourth client waits while max_connections is three", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {"max_connections: 3"}));
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(host.port());
    REQUIRE(clients.back().ask("listener") == "it");
  }
  for (int round = 0; round < 3; ++round) {
    Client fourth(host.port());
    fourth.send("id\n");
    host.log().wait_for("clients wait in the backlog");
    for (auto& client : clients) REQUIRE(client.ask("listener") == "it");
    CHECK(!fourth.has_input());
    clients.erase(clients.begin());
    CHECK(fourth.read_line() == std::to_string(4 + round));
    clients.push_back(std::move(fourth));
  }
  CHECK(most_at_once(host.log()) == 3);
}

TEST_CASE_TEMPLATE("the limit is exact after sessions that crashed", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "faulty", {"max_connections: 2"}));
  host.expect_error("SIGSEGV");
  for (int i = 0; i < 3; ++i) {
    Client crashing(host.port());
    crashing.send("segv");
    crashing.wait_until_closed();
  }
  std::vector<Client> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back(host.port()).send("in");
    REQUIRE(clients.back().read_exactly(2) == "in");
  }
  Client third(host.port());
  third.send("waits");
  host.log().wait_for("clients wait in the backlog");
  for (auto& client : clients) {
    client.send("still");
    REQUIRE(client.read_exactly(5) == "still");
  }
  CHECK(!third.has_input());
  clients.pop_back();
  CHECK(third.read_exactly(5) == "waits");
  CHECK(host.log().wait_for(" ended: ").text.find("closed by the client") != std::string::npos);
}

TEST_CASE_TEMPLATE("two workers together keep to max_connections", Model, EACH_MODEL) {
  constexpr std::size_t kClients = 40;  // enough that the kernel gives each worker its share
  HostProcess host(one_listener(Model::name, "probe", {"workers: 2", "max_connections: 3"}));
  std::vector<Client> clients;
  for (std::size_t i = 0; i < kClients; ++i) clients.emplace_back(host.port()).send("listener\n");
  const auto answered = [](const Client& client) { return client.has_input(); };
  const auto all_answered = [&](auto count) {
    return std::count_if(clients.begin(), clients.end(), answered) == count;
  };
  host.log().wait_for("clients wait in the backlog", 2);  // each worker says it of its share
  CHECK(wait_until([&] { return all_answered(3); }));
  CHECK(most_at_once(host.log()) == 3);
  for (std::size_t served = 0; served < kClients; ++served) {
    REQUIRE(wait_until([&] { return !all_answered(0); }));
    const auto next = std::find_if(clients.begin(), clients.end(), answered);
    REQUIRE(next->read_line() == "it");
    clients.erase(next);
  }
  host.log().wait_for(" ended: ", kClients);
  CHECK(most_at_once(host.log()) == 3);
}

TEST_CASE_TEMPLATE("a client that says nothing is let go after idle_timeout", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {"idle_timeout: 500ms"}));
  Client silent(host.port());
  Client sleeping(host.port());
  sleeping.send("sleep 1200\n");
  silent.wait_until_closed();
  host.log().wait_for("the client was silent for too long");
  CHECK(host.log().count(silent.address() + ": session destroyed") == 1);
  CHECK(sleeping.read_line() == "slept");  // it was the handler that took its time
}

TEST_CASE_TEMPLATE("a silent client is let go too whose worker has been killed", Model, e2e::Fork,
                   e2e::SignalFork, e2e::Prefork) {
  HostProcess host(one_listener(Model::name, "probe", {"idle_timeout: 500ms"}));
  host.expect_error("was killed by SIGKILL");
  Client silent(host.port());
  REQUIRE(silent.ask("id") == "1");
  ::kill(host.worker(), SIGKILL);
  silent.wait_until_closed();
  host.log().wait_for("session destroyed");
}

TEST_CASE_TEMPLATE("a client that has spoken is answered, however late its session gets to run",
                   Model, e2e::Fork, e2e::SignalFork, e2e::Prefork) {
  HostProcess host(one_listener(Model::name, "probe", {"idle_timeout: 500ms"}));
  Client client(host.port());
  const pid_t session = std::stoi(client.ask("pid"));
  REQUIRE(wait_until([&] { return state_of(session).state == 'S'; }));  // in its receive
  stop_process(session);
  client.send("id\n");
  CHECK(wait_until([&] { return is_pending(session, SIGURG); }));  // the worker saw it wait so long
  ::kill(session, SIGCONT);
  CHECK(client.read_line() == "1");
  CHECK(client.ask("listener") == "it");
  client.wait_until_closed();
  host.log().wait_for("the client was silent for too long");
}

TEST_CASE_TEMPLATE("each client of a process is let go that is silent", Model, e2e::Prefork) {
  HostProcess host(one_listener(Model::name, "probe", {"spare: 1", "idle_timeout: 300ms"}));
  for (const int nth : {1, 2, 3}) {
    Client silent(host.port());
    CHECK(silent.ask("id") == std::to_string(nth));
    silent.wait_until_closed();
    host.log().wait_for("the client was silent for too long", static_cast<std::size_t>(nth));
  }
}

TEST_CASE_TEMPLATE("a client that never reads holds up nobody and is let go", Model, EACH_MODEL) {
  HostProcess host(
      one_listener(Model::name, "echo", {"idle_timeout: 700ms", "options: {reply: verbatim}"}));
  Client deaf(host.port());
  const std::string flood(1 << 20, 'x');
  while (host.log().count("connection 1 from ") == 1 && deaf.send_what_fits(flood) > 0) {
  }
  Client other(host.port());
  other.send("served");
  CHECK(other.read_exactly(6) == "served");
  CHECK(host.log().wait_for("silent for too long").text.rfind("connection ", 0) == 0);
  Client next(host.port());
  next.send("served");
  CHECK(next.read_exactly(6) == "served");
}

TEST_CASE_TEMPLATE("five hundred clients are served at once", Model, EACH_MODEL) {
  const std::size_t count = tested_build().sanitized ? 100 : 500;
  HostProcess host(one_listener(Model::name, "echo", {"options: {reply: verbatim}"}));
  std::vector<Client> clients;
  for (std::size_t i = 0; i < count; ++i) clients.emplace_back(host.port());
  for (std::size_t round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < count; ++i) clients[i].send(numbered("client", 1000 + i));
    for (std::size_t i = 0; i < count; ++i) {
      REQUIRE(clients[i].read_exactly(11) == numbered("client", 1000 + i));
    }
  }
  CHECK(host.log().count(" ended: ") == 0);
}

// Not under UndefinedBehaviorSanitizer: before it calls a virtual function it tries the object's
// memory with a pipe(2), and takes the lack of descriptors for an object that is not there.
TEST_CASE_TEMPLATE("without descriptors a worker rests and recovers", Model, EACH_MODEL) {
  if (tested_build().sanitized) return;
  HostProcess host(one_listener(Model::name, "probe", {as_this_user()}));
  const auto at_rest = open_descriptors(host.worker());
  Client first(host.port());
  REQUIRE(first.ask("id") == "1");
  const auto serving = at_rest + Model::descriptors_per_session;
  REQUIRE(wait_until([&] { return open_descriptors(host.worker()) == serving; }));
  rlimit before{};
  REQUIRE(::prlimit(host.worker(), RLIMIT_NOFILE, nullptr, &before) == 0);
  limit_descriptors(host.worker(), static_cast<rlim_t>(next_descriptor(host.worker())));
  Client waiting(host.port());
  waiting.send("id\n");
  host.log().wait_for("cannot accept: Too many open files");
  CHECK(cpu_share(host.worker()) < 0.05);
  CHECK(first.ask("id") == "1");
  CHECK(!waiting.has_input());
  limit_descriptors(host.worker(), before.rlim_cur);
  CHECK(waiting.read_line() == "2");
}

TEST_CASE_TEMPLATE("a host whose clients are silent rests", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  Client silent(host.port());
  REQUIRE(silent.ask("id") == "1");
  CHECK(cpu_share(host.pid()) < 0.02);
  CHECK(cpu_share(host.worker()) < 0.02);
}

TEST_CASE("select takes no connection that select(2) could not watch") {
  HostProcess host(one_listener("select", "probe", {as_this_user()}));
  limit_descriptors(host.worker(), FD_SETSIZE + 100);
  Client holder(host.port());
  REQUIRE(holder.ask(numbered("hold", FD_SETSIZE - 30)) == "held");
  std::vector<Client> clients;
  for (int i = 0; i < 40; ++i) clients.emplace_back(host.port()).send("listener\n");
  host.log().wait_for("clients wait in the backlog");
  const auto taken = host.log().count("connection ");
  CHECK(taken > 2);
  CHECK(taken < 40);
  CHECK(clients.front().read_line() == "it");
  CHECK(!clients.back().has_input());
  holder.close();
  for (std::size_t i = 1; i < clients.size(); ++i) REQUIRE(clients[i].read_line() == "it");
}
