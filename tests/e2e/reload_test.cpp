// A reload: what it changes, what it leaves alone, and that no client notices.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>

#include <string>

#include "busy_port.hpp"
#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "installed.hpp"
#include "load.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

constexpr int kReloads = 6;

// Short connections, and long-lived ones that are always in mid-exchange.
LoadPlan constant_load() {
  LoadPlan plan;
  plan.connections = 1'000'000;  // finish() ends it
  plan.at_once = 8;
  plan.long_lived = 8;
  return plan;
}

void check_reload(const HostProcess& host) {
  const Outcome outcome = host.command({"reload"});
  CHECK_MESSAGE(outcome.status == 0, outcome.err);
  CHECK(has(outcome.out, "serves; listeners: 1 changed"));
}

void check_none_lost(Load& load) {
  load.finish();
  const LoadTally tally = load.wait();
  CHECK_MESSAGE(tally.lost() == 0, tally.lost(), " lost; the first: ", tally.first_loss);
  CHECK(tally.whole > 100);
}

std::string echoed(std::uint16_t port) {
  Client client(port);
  client.send("hello\n");
  return client.read_line();
}

}  // namespace

TEST_CASE_TEMPLATE("under load no reload costs a connection or a part of a reply", Model,
                   EACH_MODEL) {
  const InstalledHandler handler;
  const auto config = [&](int round) {
    Config made = one_listener(Model::name, "mine",
                               {"options: {reply: verbatim}", numbered("workers:", 1 + round % 3),
                                numbered("max_connections:", 1000 + round)});
    return made.search_also(handler.folder());
  };
  HostProcess host(config(0));
  Load load(tcp_target(host.port()), constant_load());
  for (int round = 1; round <= kReloads; ++round) {
    const auto answered = load.answered();
    if (round % 2 == 0) {
      handler.install_again();
    } else {
      host.write_config(config(round));
    }
    check_reload(host);
    CHECK(wait_until([&] { return load.answered() > answered + 50; }));
  }
  check_none_lost(load);
}

TEST_CASE("a reload changes what has changed and leaves the rest alone") {
  Config before;
  before.listener("same", "epoll", "probe").listener("changed", "thread", "probe");
  before.listener("gone", "select", "probe");
  HostProcess host(before);
  const auto port = host.port("changed"), gone = host.port("gone");
  const pid_t same = host.worker("same"), changed = host.worker("changed");
  Client of_same(host.port("same")), of_changed(port), of_gone(gone);
  for (Client* client : {&of_same, &of_changed, &of_gone}) CHECK(client->ask("id") == "1");

  Config after;  // also in another order
  after.listener("new", "epoll", "probe").listener("changed", "fork", "probe");
  host.write_config(after.listener("same", "epoll", "probe"));
  const Outcome outcome = host.command({"reload"});
  CHECK(outcome.status == 0);
  CHECK(has(outcome.out, "generation 2 serves; listeners: 1 changed, 1 new, 1 gone, 1 untouched"));
  host.log().wait_for("draining: 1 connections", 2);
  CHECK(host.worker("same") == same);
  CHECK(host.worker("changed") != changed);
  CHECK(of_same.ask("stopping") == "no");
  CHECK(of_changed.ask("stopping") == "yes");
  CHECK(of_gone.ask("stopping") == "yes");
  CHECK(wait_until([&] { return is_refused(gone); }));
  CHECK(Client(port).ask("stopping") == "no");
  CHECK(Client(host.port("new")).ask("stopping") == "no");
  CHECK(state_of(changed).state != '?');
  of_changed.close();
  of_gone.close();
  host.log().wait_for("listener 'changed': worker 0 (pid " + std::to_string(changed) +
                      ") has ended");
  host.log().wait_for("listener 'gone': worker 0");
  CHECK(of_same.ask("stopping") == "no");
}

TEST_CASE("a reload that finds something wrong says so and changes nothing") {
  const BusyPort busy;
  Config good = one_listener("epoll", "probe");
  HostProcess host(good);
  const pid_t worker = host.worker();
  Client client(host.port());
  CHECK(client.ask("id") == "1");

  Config bad = one_listener("thread", "probe");
  std::string words;
  SUBCASE("a key that there is not") {
    bad.top("nonsense: 1");
    words = "nonsense";
  }
  SUBCASE("a plugin that crashes when it is loaded") {
    bad.listener("other", "fork", "crashes_at_load");
    words = "crashes_at_load";
  }
  SUBCASE("an address in use") {
    bad.listener("other", "fork", "probe", {"listen: " + busy.url()});
    words = "Address already in use";
  }
  SUBCASE("a handler that cannot be created") {
    bad.listener("other", "fork", "dies_in_create");
    words = "dies_in_create";
    host.expect_error("a worker of the new generation did not become ready");
  }
  host.write_config(bad);
  host.expect_error(words);
  host.expect_error("nothing has been changed");
  const Outcome outcome = host.command({"reload"});
  CHECK(outcome.status == 1);
  CHECK(!outcome.err.empty());
  CHECK(host.worker() == worker);
  CHECK(client.ask("stopping") == "no");
  CHECK(Client(host.port()).ask("id") == "2");
  CHECK(has(host.command({"status"}).out, "generation 1 of"));

  host.write_config(good);
  CHECK(has(host.command({"reload"}).out, "1 untouched"));
  CHECK(host.worker() == worker);
}

TEST_CASE("a reload for which there are no descriptors says so and changes nothing") {
  HostProcess host(one_listener("epoll", "probe", {as_this_user()}));
  const pid_t worker = host.worker();
  rlimit before{};
  REQUIRE(::prlimit(host.pid(), RLIMIT_NOFILE, nullptr, &before) == 0);
  host.write_config(one_listener("epoll", "probe", {as_this_user(), "workers: 16"}));
  host.expect_error("Too many open files");
  host.expect_error("nothing has been changed");
  host.allow_error("a worker of the new generation did not become ready");
  for (const rlim_t more : {4U, 8U, 12U, 20U, 30U, 40U}) {
    CAPTURE(more);
    const rlimit few = {open_descriptors(host.pid()) + more, before.rlim_max};
    REQUIRE(::prlimit(host.pid(), RLIMIT_NOFILE, &few, nullptr) == 0);
    CHECK(host.command({"reload"}).status == 1);
    REQUIRE(::prlimit(host.pid(), RLIMIT_NOFILE, &before, nullptr) == 0);
    CHECK(host.worker() == worker);
    CHECK(Client(host.port()).ask("stopping") == "no");
  }
  CHECK(host.command({"reload"}).status == 0);
}

TEST_CASE("of a storm of SIGHUPs the last config wins") {
  HostProcess host(one_listener("epoll", "echo"));
  host.allow_error("the host is stopping");  // when the last one, which changes nothing, goes on
  for (int round = 1; round <= 50; ++round) {
    host.write_config(one_listener("epoll", "echo", {numbered("max_connections:", round)}));
    host.send_signal(SIGHUP);
  }
  CHECK(wait_until([&] {
    const Outcome status = host.command({"status", "--json"});
    return has(status.out, "\"max_connections\": 50,") && has(status.out, "\"serving\"");
  }));
  CHECK(echoed(host.port()) != "");
}

TEST_CASE("with `watch` a config or a plugin that is replaced is taken up by itself") {
  const InstalledHandler handler;
  const auto config = [&](const char* model) {
    Config made = one_listener(model, "mine");
    return made.top("watch: true").search_also(handler.folder());
  };
  HostProcess host(config("epoll"));
  host.write_config(config("thread"));
  host.log().wait_for("generation 2 serves; listeners: 1 changed");
  handler.install_again();
  host.log().wait_for("generation 3 serves; listeners: 1 changed");
  CHECK(echoed(host.port()) != "");
}
