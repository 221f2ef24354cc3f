// After very many connections, of which some ended badly, a host holds what it held before.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "client.hpp"
#include "host_process.hpp"
#include "load.hpp"
#include "models.hpp"
#include "resources.hpp"
#include "soak.hpp"
#include "tested_build.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

// What the C library's allocator keeps. For threads it has arenas, eight a processor at most, each
// of which keeps what a thread once had of it.
std::uint64_t slack_kib(const std::string& model) { return model == "thread" ? 8192 : 1024; }

constexpr std::uint64_t kBadEnds = 30;

// Processes or threads that wait for their next connection: as many before as after.
constexpr std::uint64_t kFew = 8;

bool waits_for_work(const std::string& model) {
  return model == "prefork" || model == "thread-pool";
}

template <class Model>
Config listener_of_few() {
  const std::string model = Model::name;
  if (model == "prefork") {
    return one_listener(model, "faulty",
                        {numbered("spare:", kFew), numbered("max_connections:", kFew)});
  }
  if (model == "thread-pool") return one_listener(model, "faulty", {numbered("threads:", kFew)});
  return one_listener(model, "faulty");
}

// Connections that are reset, before a reply and in the middle of one, or whose handlers throw.
void end_badly(std::uint16_t port) {
  const std::string much(300'000, 'x');
  for (std::uint64_t i = 0; i < kBadEnds; ++i) {
    Client client(port);
    switch (i % 3) {
      case 0:
        client.reset();
        break;
      case 1:
        (void)client.send_what_fits(much);
        REQUIRE(client.read_exactly(100).size() == 100);
        client.reset();
        break;
      default:
        client.send("throw");
        client.wait_until_closed();
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("descriptors, processes, threads and memory are back at the base line", Model,
                   EACH_MODEL) {
  constexpr std::uint64_t kRounds = 10;
  const std::uint64_t in_round = soak::count(150, 16'700);
  Config config = listener_of_few<Model>();
  HostProcess host(config.top("log: {connections: false}"));
  host.expect_error("handler 'faulty' failed: thrown on demand");
  soak::Progress progress(std::string("connections, leaks under ") + Model::name,
                          kRounds * in_round);

  soak::Resources before;
  LoadTally tally;
  const auto round = [&](std::uint64_t done) {
    Load load(tcp_target(host.port()), {.connections = in_round, .at_once = 16, .long_lived = 4});
    tally = soak::wait(load, progress, done);
    CHECK_MESSAGE(tally.lost() == 0, tally.first_loss);
    end_badly(host.port());
  };
  round(0);  // to warm up
  // Under `thread` threads wait some seconds for work before they end.
  const std::uint64_t waiting = waits_for_work(Model::name) ? kFew : 0;
  REQUIRE(wait_until([&] { return soak::resources_of(host.pid()).threads == 2 + waiting; }));
  before = soak::resources_of(host.pid());
  for (std::uint64_t i = 1; i < kRounds; ++i) round(i * in_round);
  soak::Resources after;
  CHECK(wait_until([&] {
    after = soak::resources_of(host.pid());
    return after.holds_as_much_as(before);
  }));
  CAPTURE(before.text());
  CAPTURE(after.text());
  if (!tested_build().sanitized)
    CHECK(after.memory_kib <= before.memory_kib + slack_kib(Model::name));
  CHECK(host.log().count("is ready (pid ") == 1);
  soak::add_row(
      {std::to_string(kRounds * in_round) + " connections, some of them reset or thrown out",
       Model::name, std::to_string(kRounds * kBadEnds) + " bad ends", "these",
       before.text() + " before; after: " + after.text()});
}
