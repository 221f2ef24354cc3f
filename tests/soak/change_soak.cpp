// Configs, handlers and the host's binary are replaced again and again under constant load: no
// client notices.
#include <doctest/doctest.h>

#include <string>

#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "installed.hpp"
#include "load.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "soak.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

struct Installed {
  InstalledProgram program;
  InstalledHandler handler;
};

Config config_of(const char* model, const Installed& installed, std::uint64_t round) {
  Config config = one_listener(model, "mine",
                               {"options: {reply: verbatim}", numbered("workers:", 2 - round % 2),
                                numbered("max_connections:", 500 + round)});
  return config.search_also(installed.handler.folder()).top("log: {connections: false}");
}

// The nth change; it is over when this returns.
void change(std::uint64_t nth, const char* model, HostProcess& host, const Installed& installed) {
  Outcome outcome;
  switch (nth % 3) {
    case 0:
      host.write_config(config_of(model, installed, 1 + nth));
      outcome = host.command({"reload"});
      break;
    case 1:
      installed.handler.install_again();
      outcome = host.command({"reload"});
      break;
    default:
      installed.program.install_again();
      outcome = host.command({"upgrade"});
  }
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
}

}  // namespace

TEST_CASE_TEMPLATE("reloads and new handlers and binaries without end cost no client anything",
                   Model, EACH_MODEL) {
  const std::uint64_t rounds = soak::count(2, 100);
  const std::uint64_t connections = soak::count(2'000, 167'000);
  const std::uint64_t changes = 3 * rounds;
  const Installed installed;
  HostProcess host(config_of(Model::name, installed, 0), {.program = installed.program.path()});
  const auto descriptors = open_descriptors(host.pid());
  soak::Progress progress(std::string("connections, changes under ") + Model::name, connections);
  Load load(tcp_target(host.port()), {.connections = connections, .at_once = 8, .long_lived = 8});
  for (std::uint64_t nth = 0; nth < changes; ++nth) {
    change(nth, Model::name, host, installed);
    // Each has its share of the load.
    const std::uint64_t share = (nth + 1) * connections / (changes + 1);
    REQUIRE(wait_until([&] {
      progress.show(load.done());
      return load.done() >= share || load.over();
    }));
  }
  const LoadTally tally = soak::wait(load, progress);
  CHECK_MESSAGE(tally.lost() == 0, tally.lost(), " lost; the first: ", tally.first_loss);
  CHECK(tally.whole >= connections);
  CHECK(host.log().count("serves; listeners: 1 changed") == changes);
  CHECK(wait_until([&] { return open_descriptors(host.pid()) <= descriptors; }));
  const std::string each = std::to_string(rounds);
  soak::add_row({std::to_string(tally.whole) + " connections", Model::name,
                 each + " reloads, " + each + " new handlers, " + each + " new binaries",
                 std::to_string(tally.lost()),
                 std::to_string(tally.exchanges) + " exchanges, byte for byte"});
}
