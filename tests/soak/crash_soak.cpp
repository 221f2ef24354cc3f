// A handler that crashes on every so-manieth connection: the fork models lose exactly these.
#include <doctest/doctest.h>

#include <string>

#include "host_process.hpp"
#include "load.hpp"
#include "models.hpp"
#include "soak.hpp"
#include "wait_for.hpp"

using namespace e2e;

TEST_CASE_TEMPLATE("the fork models lose exactly the connections whose handlers crash", Model,
                   e2e::Fork, e2e::SignalFork) {
  const std::uint64_t connections = soak::count(2'000, 100'000);
  const std::uint64_t every = soak::count(100, 1'000);
  const std::uint64_t crashes = connections / every;
  Config config = one_listener(Model::name, "faulty",
                               {"options: {crash_every: " + std::to_string(every) + "}"});
  HostProcess host(config.top("log: {connections: false}"));
  host.expect_error("handler 'faulty' crashed: connection ");
  soak::Progress progress(std::string("connections, crashes under ") + Model::name, connections);
  Load load(tcp_target(host.port()), {.connections = connections});
  const LoadTally tally = soak::wait(load, progress);
  CAPTURE(tally.first_loss);
  CHECK(tally.connections() == connections);
  CHECK(tally.cut == crashes);
  CHECK(tally.lost() == crashes);
  CHECK(wait_until([&] { return host.log().count("killed by SIGSEGV") == crashes; }));
  CHECK(host.log().count("is ready (pid ") == 1);
  soak::add_row({"crash of a handler on every " + std::to_string(every) + "th connection",
                 Model::name, std::to_string(crashes) + " crashes", std::to_string(tally.lost()),
                 std::to_string(tally.whole) + " of " + std::to_string(connections) + " served"});
}
