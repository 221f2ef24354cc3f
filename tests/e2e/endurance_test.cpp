// What a host stands: to be stopped and let go on, to be short of descriptors, clients that never
// stop or never start, handlers that crash or signal at the worst moment.
#include <doctest/doctest.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <future>
#include <list>
#include <map>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "client.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "tested_build.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

// For what takes its time: one wait for all of them. Each listener is called as its model.

Config listener_of_each_model(Config::Keys keys = {}) {
  Config config;
  for (const auto& model : kModelNames) config.listener(model, model, "probe", keys);
  return config;
}

void stop_for(pid_t pid, std::chrono::milliseconds duration) {
  stop_process(pid);
  std::this_thread::sleep_for(duration);  // no event tells of this: there must be none
  ::kill(pid, SIGCONT);
}

void limit_descriptors(pid_t pid, int most) {
  rlimit limit{};
  REQUIRE(::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0);
  limit.rlim_cur = static_cast<rlim_t>(most);
  REQUIRE(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) == 0);
}

// A processor that all of this program may use.
cpu_set_t one_processor() {
  cpu_set_t all;
  CPU_ZERO(&all);
  REQUIRE(::sched_getaffinity(0, sizeof all, &all) == 0);
  int first = 0;
  while (!CPU_ISSET(first, &all)) ++first;
  CPU_ZERO(&all);
  CPU_SET(first, &all);
  return all;
}

// From now on the process runs on that processor, and only while nobody else wants it.
void put_into_background(pid_t pid, const cpu_set_t& processor) {
  const sched_param none{};
  for (const auto& thread :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    const pid_t id = std::stoi(thread.path().filename());
    REQUIRE(::sched_setaffinity(id, sizeof processor, &processor) == 0);
    REQUIRE(::sched_setscheduler(id, SCHED_IDLE, &none) == 0);
  }
}

// Sends without a pause until the host has closed the connection, or patience is at its end. The
// session is kept slower than this, so that it never finds that all has been read.
class Chatterbox {
 public:
  explicit Chatterbox(std::uint16_t port) : client_(port) {
    put_into_background(std::stoi(client_.ask("pid")), processor_);
    client_.send("bye 3\n");
    CHECK(client_.read_exactly(3) == "abc");
    let_go_ = std::async(std::launch::async, [this] { return chatter(); });
  }

  [[nodiscard]] bool wait_until_let_go() { return let_go_.get(); }

 private:
  bool chatter() {
    (void)::sched_setaffinity(0, sizeof processor_, &processor_);  // of this thread
    const std::string words(std::size_t{256} * 1024, 'x');
    const auto end = std::chrono::steady_clock::now() + kPatience;
    try {
      while (std::chrono::steady_clock::now() < end) client_.send(words);
    } catch (const std::system_error&) {
      return true;
    }
    client_.close();
    return false;
  }

  Client client_;
  cpu_set_t processor_ = one_processor();
  std::future<bool> let_go_;
};

// How the log tells that `client`, connection 1, has made its session crash.
std::string crash_of(const Client& client, bool own_process) {
  const std::string who = "connection 1 from " + client.address();
  return (own_process ? "handler 'faulty' crashed: " : "in handler 'faulty', serving ") + who;
}

}  // namespace

TEST_CASE("a supervisor that was stopped for a while keeps its workers and their clients") {
  std::chrono::milliseconds away{};
  SUBCASE("a little longer than a worker may be silent") { away = std::chrono::milliseconds(3600); }
  SUBCASE("much longer than that") { away = std::chrono::milliseconds(5000); }
  HostProcess host(listener_of_each_model({"heartbeat_timeout: 3s"}));
  std::map<std::string, Client> clients;
  for (const auto& model : kModelNames) {
    clients.try_emplace(model, host.port(model));
    REQUIRE(clients.at(model).ask("id") == "1");
  }
  stop_for(host.pid(), away);
  host.send_signal(SIGUSR1);
  host.log().wait_for("SIGUSR1: log reopened");  // it is there again, and has looked around
  for (const auto& model : kModelNames) {
    CAPTURE(model);
    CHECK(clients.at(model).ask("id") == "1");
    CHECK(Client(host.port(model)).ask("id") == "2");  // of the same worker
  }
  CHECK(host.log().count("is ready (pid ") == kModelNames.size());
}

TEST_CASE_TEMPLATE("at the limit of descriptors a client is served or waits, and none is closed",
                   Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {as_this_user()}));
  limit_descriptors(host.worker(), next_descriptor(host.worker()) + 2);
  std::vector<Client> clients;
  for (int i = 0; i < 6; ++i) clients.emplace_back(host.port()).send("id\n");
  // Under prefork processes are ready, with what they need.
  if (Model::descriptors_per_session > 0 && std::string(Model::name) != "prefork") {
    host.log().wait_for("cannot accept: Too many open files");
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    CHECK(clients[i].read_line() == std::to_string(i + 1));
    clients[i].close();
  }
  host.log().wait_for("closed by the client", clients.size());
}

TEST_CASE("a client that never stops sending is let go when its handler has ended") {
  // They may be away for long, in the background of a busy processor.
  HostProcess host(listener_of_each_model({"heartbeat_timeout: 1h"}));
  std::list<Chatterbox> clients;
  for (const auto& model : kModelNames) clients.emplace_back(host.port(model));
  for (auto& client : clients) CHECK(client.wait_until_let_go());
  host.log().wait_for(" ended: ", kModelNames.size());
}

TEST_CASE_TEMPLATE("a handler that crashes during a drain is told with its client", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "faulty"));
  Client client(host.port());
  client.send("before");
  REQUIRE(client.read_exactly(6) == "before");
  host.expect_error(crash_of(client, Model::own_process));
  host.send_signal(SIGTERM);
  host.log().wait_for("draining: 1 connections");
  client.send("segv");
  client.wait_until_closed();
  CHECK(host.wait_for_exit() == 0);
  CHECK(host.log().count("killed by SIGSEGV") == 1);
}

TEST_CASE_TEMPLATE("sessions whose worker was killed end in order at the drain's deadline", Model,
                   e2e::Fork, e2e::SignalFork) {
  bool during_drain = false;
  SUBCASE("killed before the drain") { during_drain = false; }
  SUBCASE("killed during the drain") { during_drain = true; }
  Config config = one_listener(Model::name, "probe");
  // Where it is killed during the drain there has to be time for that.
  HostProcess host(config.top(during_drain ? "drain_timeout: 4s" : "drain_timeout: 700ms"));
  host.expect_error("was killed by SIGKILL");
  Client reading(host.port());
  REQUIRE(reading.ask("id") == "1");
  Client sleeping(host.port());
  REQUIRE(sleeping.ask("id") == "2");
  sleeping.send("sleep 60000\n");
  const pid_t worker = host.worker();
  if (during_drain) {
    host.send_signal(SIGTERM);
    host.log().wait_for("draining: 2 connections");
    ::kill(worker, SIGKILL);
  } else {
    ::kill(worker, SIGKILL);
    host.log().wait_for("is ready (pid ", 2);
    host.send_signal(SIGTERM);
  }
  CHECK(host.wait_for_exit() == 0);
  CHECK(host.log().count("session destroyed") == 2);
  reading.wait_until_closed();
  sleeping.wait_until_closed();
}

TEST_CASE_TEMPLATE("a handler that signals its process group takes no listener out of service",
                   Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  Client client(host.port());
  CHECK(client.ask("terminate-group") == "sent");
  CHECK(client.ask("id") == "1");
  CHECK(Client(host.port()).ask("id") == "2");
  CHECK(Client(host.port()).ask("id") == "3");
  CHECK(host.log().count("is ready (pid ") == 1);
  CHECK(host.log().count("draining") == 0);
}

TEST_CASE_TEMPLATE("a timer that ticks beside a read does not put off the idle timeout", Model,
                   EACH_MODEL) {
  HostProcess host(
      one_listener(Model::name, "probe", {"idle_timeout: 300ms", "options: {pause: 20ms}"}));
  Client silent(host.port());
  silent.send("listen\n");
  silent.wait_until_closed();
  host.log().wait_for("the client was silent for too long");
  host.log().wait_for("session destroyed");
}

TEST_CASE_TEMPLATE("a stack overflow is told with handler and client", Model, EACH_MODEL) {
  if (tested_build().sanitized) return;  // they have stacks, and words for it, of their own
  HostProcess host(one_listener(Model::name, "faulty"));
  Client client(host.port());
  client.send("before");
  REQUIRE(client.read_exactly(6) == "before");
  host.expect_error(crash_of(client, Model::own_process));
  client.send("overflow");
  client.wait_until_closed();
  host.log().wait_for("killed by SIGSEGV");
  Client next(host.port());
  next.send("after");
  CHECK(next.read_exactly(5) == "after");
}
