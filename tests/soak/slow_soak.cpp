// Slow clients by the thousand beside quick ones: what it costs these, and the host.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "client.hpp"
#include "host_process.hpp"
#include "load.hpp"
#include "models.hpp"
#include "resources.hpp"
#include "soak.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

// Of all slow clients a tenth asks for much and reads nothing, four tenths are silent, and half
// send a byte a second.
class SlowClients {
 public:
  SlowClients(std::uint16_t port, std::size_t count, soak::Progress& progress) {
    for (std::size_t i = 0; i < count; ++i) {
      constexpr int kSmall = 4096;
      auto& client = clients_.emplace_back(port, kSmall);
      if (i % 10 == 0) client.send("flood 300000\n");
      progress.show(i);
    }
    dribble_ = std::thread([this] { dribble(); });
  }
  SlowClients(const SlowClients&) = delete;
  SlowClients& operator=(const SlowClients&) = delete;
  ~SlowClients() { stop(); }

  void stop() {
    stopped_ = true;
    if (dribble_.joinable()) dribble_.join();
  }

 private:
  void dribble() {
    while (!stopped_) {
      const auto next = std::chrono::steady_clock::now() + std::chrono::seconds(1);
      for (std::size_t i = 1; i < clients_.size(); i += 2) (void)clients_[i].send_what_fits("x");
      while (!stopped_ && std::chrono::steady_clock::now() < next) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    }
  }

  std::vector<Client> clients_;
  std::atomic<bool> stopped_ = false;
  std::thread dribble_;
};

std::uint64_t per_client(const soak::Resources& with, const soak::Resources& without,
                         std::size_t clients) {
  const std::uint64_t before = std::min(without.memory_kib, with.memory_kib);
  return (with.memory_kib - before) / clients;
}

std::string in_ms(std::uint32_t microseconds) {
  const std::string text = std::to_string(microseconds / 1000.0);
  return text.substr(0, text.find('.') + 3) + " ms";
}

// As many as the model is made for.
std::size_t slow_clients_of(const std::string& model) {
  if (model == "epoll" || model == "io_uring") return soak::count(300, 9'000);
  return soak::count(300, model == "select" ? 900 : 2'000);
}

}  // namespace

TEST_CASE_TEMPLATE("slow clients by the thousand cut no other's reply and are let go", Model,
                   EACH_MODEL) {
  const std::size_t count = slow_clients_of(Model::name);
  const std::uint64_t quick = soak::count(300, 5'000);
  const std::size_t let_go = (count + 1) / 2;  // but not those that send
  Config config = one_listener(Model::name, "echo", {"options: {reply: verbatim}"});
  const std::string limit = std::to_string(soak::count(10, 20));
  const std::string most = "max_connections: " + std::to_string(count + 10);
  config.listener("slow", Model::name, "probe", {most, "idle_timeout: " + limit + "s"});
  HostProcess host(config);
  soak::Progress progress(std::string("slow clients under ") + Model::name, count);
  const LoadPlan plan = {.connections = quick, .at_once = 1};
  const LoadTally alone = Load(tcp_target(host.port()), plan).wait();
  const auto before = soak::resources_of(host.worker("slow"));

  SlowClients slow(host.port("slow"), count, progress);
  REQUIRE(wait_until([&] { return host.log().count("slow/") >= count; }));
  const auto with_all = soak::resources_of(host.worker("slow"));
  const LoadTally beside = Load(tcp_target(host.port()), plan).wait();
  CHECK_MESSAGE(alone.lost() + beside.lost() == 0, beside.first_loss);
  host.log().wait_for("the client was silent for too long", let_go);
  slow.stop();
  CHECK(host.log().count("is ready (pid ") == 2);
  soak::add_row(
      {"slow clients: never read, never send, a byte a second", Model::name,
       std::to_string(count) + " clients", std::to_string(beside.lost()) + " replies of others",
       "p99 of others " + in_ms(alone.quantile(0.99)) + " alone, " + in_ms(beside.quantile(0.99)) +
           " beside them; " + std::to_string(per_client(with_all, before, count)) +
           " KiB a client; the silent let go after " + limit + " s"});
}
