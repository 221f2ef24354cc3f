// Memory runs out: for a handler that takes too much, or anywhere in a worker.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <exception>
#include <fstream>
#include <random>
#include <string>

#include "client.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "shared_file.hpp"
#include "tested_build.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

std::string echo(Client& client, const std::string& message) {
  client.send(message);
  return client.read_exactly(message.size());
}

// A worker and its sessions may have so much more address space than it has now, as with
// `prlimit --as`.
void limit_memory(pid_t worker, rlim_t more) {
  rlim_t pages = 0;
  std::ifstream("/proc/" + std::to_string(worker) + "/statm") >> pages;
  REQUIRE(pages > 0);
  const rlim_t most = pages * 4096 + more;
  const rlimit limit{most, most};
  REQUIRE(::prlimit(worker, RLIMIT_AS, &limit, nullptr) == 0);
}

enum class Exchange { whole, lost, wrong };

template <class Model>
Exchange try_exchange(const HostProcess& host, const std::string& words) {
  try {
    Client client = host.connect<Model>();
    client.send(words);
    client.finish_sending();
    const std::string reply = client.read_to_end();
    if (reply == words) return Exchange::whole;
    return words.rfind(reply, 0) == 0 ? Exchange::lost : Exchange::wrong;
  } catch (const std::exception&) {
    return Exchange::lost;
  }
}

}  // namespace

TEST_CASE_TEMPLATE("a handler that takes more memory than there may be loses that client alone",
                   Model, EACH_MODEL) {
  if (tested_build().sanitized) {
    MESSAGE("left out: sanitizers take more address space than there is");
    return;
  }
  HostProcess host(one_listener(Model::name, "faulty", {as_this_user()}));
  host.expect_error("handler 'faulty' failed: std::bad_alloc");
  Client beside(host.port());
  REQUIRE(echo(beside, "before") == "before");
  limit_memory(host.worker(), rlim_t{256} << 20U);
  for (const auto& ready : children_of(host.worker())) limit_memory(ready.pid, rlim_t{256} << 20U);
  for (std::size_t i = 0; i < 3; ++i) {
    Client greedy(host.port());
    REQUIRE(echo(greedy, "before") == "before");
    greedy.send("allocate");
    CHECK(greedy.read_to_end().empty());
    host.log().wait_for("failed: std::bad_alloc", i + 1);
  }
  CHECK(echo(beside, "after") == "after");
  CHECK(try_exchange<Model>(host, "after") == Exchange::whole);
  CHECK(host.log().count("is ready (pid ") == 1);
}

TEST_CASE_TEMPLATE("where memory cannot be had now and then only such connections are lost", Model,
                   EACH_MODEL, EACH_MODEL_ON_TLS) {
  if (tested_build().sanitized) {
    MESSAGE("left out: sanitizers have an allocator of their own");
    return;
  }
  constexpr int kClients = 300;
  const auto seed = std::random_device()();
  CAPTURE(seed);
  SharedFile orders;
  Config config = one_listener_of<Model>("echo", "options: {reply: verbatim}");
  config.listener("other", Model::name, "faulty");
  HostProcess host(config,
                   {.by = {},
                    .environment = {"LD_PRELOAD=" BERTH_NO_MEMORY, "NO_MEMORY=" + orders.path(),
                                    "NO_MEMORY_SEED=" + std::to_string(seed)}});
  host.allow_error("Cannot allocate memory");
  host.allow_error("handler 'echo' failed: std::bad_alloc");
  host.allow_error("handler 'echo' crashed: connection ");  // a process of its own may well
  Client elsewhere(host.port("other"));
  REQUIRE(echo(elsewhere, "before") == "before");
  Client beside = host.connect<Model>();
  REQUIRE(echo(beside, "before") == "before");
  orders[0] = kOnTls<Model> ? 1 : 10;  // of a thousand requests, of which a handshake makes as many
  orders[1] = host.worker();
  int lost = 0;
  for (int i = 0; i < kClients; ++i) {
    const Exchange result = try_exchange<Model>(host, numbered("client", 1000 + i));
    CHECK(result != Exchange::wrong);
    lost += result == Exchange::lost ? 1 : 0;
  }
  orders[1] = 0;
  CHECK(orders[2] > 0);
  CHECK(lost < (kOnTls<Model> ? kClients : kClients / 2));
  CHECK(try_exchange<Model>(host, "after") == Exchange::whole);
  CHECK(echo(beside, "after") == "after");
  CHECK(echo(elsewhere, "after") == "after");
  CHECK(host.log().count("is ready (pid ") == 2);  // no worker died of it
}
