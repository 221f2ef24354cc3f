// Clients that never read, never send, or send a byte now and then: hundreds of them hold up nobody
// who does better, and no longer than they may.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "client.hpp"
#include "host_process.hpp"
#include "load.hpp"
#include "models.hpp"
#include "tested_build.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

const std::size_t kOfEachKind = tested_build().sanitized ? 20 : 100;

// A byte from each of them, again and again, until it is told to end.
class Dribble {
 public:
  explicit Dribble(std::vector<Client>& clients) : thread_([this, &clients] { run(clients); }) {}
  Dribble(const Dribble&) = delete;
  Dribble& operator=(const Dribble&) = delete;
  ~Dribble() {
    ended_ = true;
    thread_.join();
  }

 private:
  void run(std::vector<Client>& clients) {
    try {
      while (!ended_) {
        for (auto& client : clients) client.send("x");
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      }
    } catch (const std::exception& fault) {
      FAIL_CHECK("a client that sends is let go: ", fault.what());
    }
  }

  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

std::vector<Client> clients_of(std::uint16_t port, const std::string& words) {
  constexpr int kSmall = 4096;  // a host's write soon has no room
  std::vector<Client> clients;
  for (std::size_t i = 0; i < kOfEachKind; ++i) {
    clients.emplace_back(port, kSmall);
    if (!words.empty()) clients.back().send(words);
  }
  return clients;
}

}  // namespace

TEST_CASE_TEMPLATE("hundreds of slow clients hold up no other and are let go in time", Model,
                   EACH_MODEL) {
  const std::string limit = tested_build().sanitized ? "idle_timeout: 20s" : "idle_timeout: 10s";
  Config config = one_listener(Model::name, "echo", {"options: {reply: verbatim}"});
  config.listener("slow", Model::name, "probe", {limit});
  config.listener("beside", Model::name, "echo", {limit, "options: {reply: verbatim}"});
  HostProcess host(config);
  const auto port = host.port("slow");
  const auto silent = clients_of(port, "");
  const auto deaf = clients_of(port, "flood 1000000\n");
  auto dribbling = clients_of(host.port("beside"), "");
  {
    const Dribble dribble(dribbling);
    for (const auto& listener : {"it", "beside"}) {
      const LoadTally tally = Load(tcp_target(host.port(listener)), {.connections = 300}).wait();
      CHECK(tally.whole == 300);
      CHECK_MESSAGE(tally.lost() == 0, tally.first_loss);
    }
    CHECK(Client(port).ask("listener") == "slow");
    host.log().wait_for("the client was silent for too long", 2 * kOfEachKind);
  }
  CHECK(host.log().count("the client was silent for too long") == 2 * kOfEachKind);
  for (auto& client : dribbling) REQUIRE(client.read_exactly(1) == "x");
  CHECK(host.log().count("is ready (pid ") == 3);
}
