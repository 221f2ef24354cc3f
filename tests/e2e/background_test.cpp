// What a handler calls in the background holds up nobody, and ends with its session.
#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <string>

#include "client.hpp"
#include "fifo.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

// A listener whose handler reads that file when it is told to fetch.
Config fetching_from(const std::string& model, const Fifo& fifo) {
  return one_listener(model, "probe", {"options: {text: " + fifo.path() + "}"});
}

}  // namespace

TEST_CASE_TEMPLATE("a function called in the background gives its result or what it throws", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  Client client(host.port());
  for (std::size_t i = 0; i < 100; ++i) {
    REQUIRE(client.ask(numbered("double", i)) == std::to_string(2 * i));
  }
  CHECK(client.ask("catch") == "thrown in background");
  CHECK(client.ask("id") == "1");
}

TEST_CASE_TEMPLATE("others are served while a handler blocks in the background", Model,
                   EACH_MODEL) {
  Fifo fifo;
  HostProcess host(fetching_from(Model::name, fifo));
  Client waiting(host.port());
  waiting.send("fetch\n");
  fifo.wait_for_reader();
  Client other(host.port());
  CHECK(other.ask("id") == "2");
  CHECK(other.ask("double 21") == "42");
  CHECK_FALSE(waiting.has_input());
  fifo.write("at last\n");
  CHECK(waiting.read_line() == "at last");
  CHECK(waiting.ask("id") == "1");
}

TEST_CASE_TEMPLATE("a client that is served in the background is not silent", Model, EACH_MODEL) {
  Fifo fifo;
  HostProcess host(one_listener(Model::name, "probe",
                                {"options: {text: " + fifo.path() + "}", "idle_timeout: 200ms"}));
  Client waiting(host.port());
  waiting.send("fetch\n");
  fifo.wait_for_reader();
  for (const std::size_t nth : {1, 2}) {
    Client silent(host.port());
    host.log().wait_for("the client was silent for too long", nth);
  }
  fifo.write("at last\n");
  CHECK(waiting.read_line() == "at last");
}

TEST_CASE_TEMPLATE("a drain waits for what runs in the background", Model, EACH_MODEL) {
  Fifo fifo;
  HostProcess host(fetching_from(Model::name, fifo));
  Client waiting(host.port());
  waiting.send("fetch\n");
  fifo.wait_for_reader();
  host.send_signal(SIGTERM);
  host.log().wait_for("draining: 1 connections");
  fifo.write("at last\n");
  CHECK(waiting.read_line() == "at last");
  waiting.close();
  CHECK(host.wait_for_exit() == 0);
}

TEST_CASE_TEMPLATE("a session goes on after the drain's deadline when its call is through", Model,
                   EACH_MODEL) {
  CHECK(counts_once([] {
    Fifo fifo;
    HostProcess host(fetching_from(Model::name, fifo).top("drain_timeout: 100ms"));
    Client waiting(host.port());
    waiting.send("fetch\n");
    fifo.wait_for_reader();
    const auto begin = std::chrono::steady_clock::now();
    host.send_signal(SIGTERM);
    host.log().wait_for("drain_timeout has passed: ending 1 connections");
    // A second after the deadline a process is killed.
    if (std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(600)) {
      host.allow_error("connection 1 from ");
      host.allow_error(HostProcess::kOverdue);
      return false;
    }
    fifo.write("at last\n");
    CHECK(host.wait_for_exit() == 0);
    CHECK(host.log().wait_for_end());
    CHECK(host.log().count("fetched at last") == 1);
    CHECK(host.log().count("session destroyed") == 1);
    CHECK(host.log().count("cut at the end of the drain") == 1);
    return true;
  }));
}

TEST_CASE_TEMPLATE("a call in the background that never returns cannot hold up the end", Model,
                   EACH_MODEL) {
  Fifo fifo;
  HostProcess host(fetching_from(Model::name, fifo).top("drain_timeout: 100ms"));
  Client waiting(host.port());
  waiting.send("fetch\n");
  fifo.wait_for_reader();
  host.allow_error(HostProcess::kOverdue);
  if (Model::own_process) host.expect_error_or("connection 1 from ", HostProcess::kOverdue);
  CHECK(host.stop(SIGTERM) == 0);
  waiting.wait_until_closed();
  CHECK(host.log().wait_for_end());
  CHECK(host.log().count("fetched") == 0);
  if (Model::in_loop) {
    CHECK(host.log().count("1 sessions did not end when cancelled: they end with the worker") +
              host.log().count(HostProcess::kOverdue) >
          0);
  }
}

TEST_CASE_TEMPLATE("a crash in the background names the client it served", Model, EACH_MODEL) {
  std::string word, signal;
  SUBCASE("with a segmentation fault") { word = "segv", signal = "SIGSEGV"; }
  SUBCASE("with abort()") { word = "abort", signal = "SIGABRT"; }
  SUBCASE("with its stack used up") { word = "overflow", signal = "SIGSEGV"; }
  HostProcess host(one_listener(Model::name, "faulty"));
  Client crashing(host.port());
  const std::string who = "connection 1 from " + crashing.address();
  host.expect_error(Model::own_process ? "handler 'faulty' crashed: " + who
                                       : "in handler 'faulty', serving " + who);
  crashing.send("background " + word);
  crashing.wait_until_closed();
  host.log().wait_for("killed by " + signal);
}

TEST_CASE_TEMPLATE("what throws in the background ends its own session alone", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "faulty"));
  host.expect_error("connection 1 from ");
  Client failing(host.port());
  failing.send("background throw");
  CHECK(failing.read_to_end().empty());
  host.log().wait_for("handler 'faulty' failed: thrown on demand");
  Client other(host.port());
  other.send("background fine");
  CHECK(other.read_exactly(15) == "background fine");
}

TEST_CASE_TEMPLATE("who holds an event loop up is told in the log, and how to do better", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  const std::string words = "handler 'probe' held the event loop up for ";
  for (int i = 0; i < 2; ++i) {
    Client client(host.port());
    CHECK(client.ask("block 150") == "blocking");
    CHECK(client.ask("id") == std::to_string(i + 1));  // after that
  }
  if (Model::in_loop) {
    const LogLine line = host.log().wait_for(words);
    CHECK(line.level == "warn");
    CHECK(line.text.find("use co_await connection.in_background(f)") != std::string::npos);
  }
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(host.log().wait_for_end());
  CHECK(host.log().count(words) == (Model::in_loop ? 1 : 0));  // the second is counted, not told
}
