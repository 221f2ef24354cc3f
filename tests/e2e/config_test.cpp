// What is wrong with a config is told at its place, all of it, before any socket is opened.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <string>

#include "busy_port.hpp"
#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "processes.hpp"
#include "tested_build.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

// Checks and runs the config; both must refuse it in the same words, which are returned.
std::string refusal_of(const std::string& text) {
  const TempFolder folder;
  const std::string file = folder / "wrong.yaml";
  write_file(file, text);
  const Outcome check = berth({"check", file});
  const Outcome run = berth({"run", file});
  CHECK(check.status == 78);
  CHECK(run.status == 78);
  CHECK(check.out.empty());
  CHECK(run.out.empty());
  CHECK(check.err == run.err);
  CHECK(!has(run.err, "listening on"));
  std::string plain;
  for (std::size_t at = 0, next; at < check.err.size(); at = next) {
    next = check.err.find(file, at + 1);
    if (next == std::string::npos) next = check.err.size();
    plain += check.err.substr(at + file.size(), next - at - file.size());
    CHECK(check.err.compare(at, file.size(), file) == 0);  // each line begins with it
  }
  return plain;
}

}  // namespace

TEST_CASE("every mistake of a config is told with its line and column") {
  const BusyPort port;
  const std::string told = refusal_of("plugins: " + tested_build().plugins +
                                      "\n"
                                      "listeners:\n"
                                      "  - name: one\n"
                                      "    listen: " +
                                      port.url() +
                                      "\n"
                                      "    modell: fork\n"
                                      "    handler: echo\n"
                                      "    idle_timeout: 5 parsecs\n"
                                      "  - name: one\n"
                                      "    listen: tcp://127.0.0.1:99999\n"
                                      "    model: selekt\n"
                                      "    handler: ecko\n");
  CAPTURE(told);
  CHECK(has(told, ":5:5: unknown key 'modell'"));
  CHECK(has(told, "did you mean 'model'?"));
  CHECK(has(told, ":7:19: "));
  CHECK(has(told, ":8:11: the name 'one' is that of the listener in line 3 already"));
  CHECK(has(told, ":9:13: "));
  CHECK(has(told, ":10:12: unknown model 'selekt'"));
  CHECK(has(told, "did you mean 'select'?"));
  CHECK(has(told, ":11:14: no handler 'ecko'"));
  CHECK(has(told, "did you mean 'echo'?"));
}

TEST_CASE("wrong options of a plugin are told at their places") {
  const std::string told =
      refusal_of("plugins: [" + tested_build().plugins + ", " + tested_build().handlers +
                 "]\n"
                 "listeners:\n"
                 "  - name: one\n"
                 "    listen: tcp://127.0.0.1:0\n"
                 "    model: fork\n"
                 "    handler: echo\n"
                 "    options: {reply: verbatm}\n"
                 "  - name: two\n"
                 "    listen: tcp://127.0.0.1:0\n"
                 "    model: thread\n"
                 "    handler: probe\n"
                 "    options:\n"
                 "      number: 101\n"
                 "      siz: 4KiB\n"
                 "      flag: maybe\n"
                 "      list: alone\n"
                 "      pause: fast\n");
  CAPTURE(told);
  CHECK(has(told, ":7:22: option 'reply' must be "));
  CHECK(has(told, "did you mean 'verbatim'?"));
  CHECK(has(told, ":13:15: option 'number' must be within 0 and 100"));
  CHECK(has(told, ":14:7: unknown option 'siz' of handler 'probe'"));
  CHECK(has(told, "did you mean 'size'?"));
  CHECK(has(told, ":15:13: option 'flag' must be true or false"));
  CHECK(has(told, ":16:13: option 'list' must be a list"));
  CHECK(has(told, ":17:14: "));
}

TEST_CASE("a file that is not YAML is refused at the place where it ceases to be") {
  const std::string told = refusal_of("listeners:\n  - name: [\n");
  CAPTURE(told);
  CHECK(told.rfind(":3:", 0) == 0);
}

TEST_CASE("a config that is not there is refused by name") {
  const Outcome run = berth({"run", "/nowhere/berth.yaml"});
  CHECK(run.status == 78);
  CHECK(has(run.err, "/nowhere/berth.yaml"));
  CHECK(has(run.err, "no such file"));
}

TEST_CASE("check opens no socket") {
  const BusyPort port;
  const TempFolder folder;
  const std::string file = folder / "berth.yaml";
  write_file(file, one_listener("fork", "echo", {"listen: " + port.url()}).text());
  const Outcome check = berth({"check", file});
  CHECK(check.status == 0);
  CHECK(has(check.out, "fine"));
  CHECK(check.err.empty());
}

TEST_CASE("an address in use keeps the whole host from starting") {
  const BusyPort first;
  const BusyPort second;
  const TempFolder folder;
  const std::string file = folder / "berth.yaml";
  Config config;
  config.listener("free", "fork", "echo");
  config.listener("busy", "fork", "echo", {"listen: " + first.url()});
  config.listener("both", "select", "echo", {"listen: [tcp://127.0.0.1:0, " + second.url() + "]"});
  write_file(file, config.text());
  const Outcome run = berth({"run", file});
  CAPTURE(run.err);
  CHECK(run.status == 1);
  CHECK(has(run.err, "listener 'busy': cannot bind " + first.url() + ": Address already in use"));
  CHECK(has(run.err, "listener 'both': cannot bind " + second.url() + ": Address already in use"));
  CHECK(!has(run.err, "listening on"));
  CHECK(!has(run.err, "is ready"));
}

TEST_CASE("where io_uring is forbidden its listeners are refused, with the place and the remedy") {
  const TempFolder folder;
  const std::string file = folder / "berth.yaml";
  write_file(file, one_listener("io_uring", "echo").text());
  for (const char* const command : {"check", "run"}) {
    const Outcome refused =
        run_program({BERTH_WITHOUT_IO_URING, tested_build().program, command, file});
    CAPTURE(refused.err);
    CHECK(refused.status == 78);
    CHECK(has(refused.err, "berth.yaml:"));
    CHECK(has(refused.err,
              "io_uring cannot be used here: Operation not permitted (kernel.io_uring_disabled, or "
              "the seccomp filter of a container, forbids it): choose epoll"));
    CHECK(!has(refused.err, "is ready"));
  }
  write_file(file, one_listener("epoll", "echo").text());
  CHECK(run_program({BERTH_WITHOUT_IO_URING, tested_build().program, "check", file}).status == 0);
}

TEST_CASE("the shipped configs are fine") {
  for (const char* const shipped : {BERTH_SHIPPED_CONFIG, BERTH_SOURCE_FOLDER "/conf/proxy.yaml"}) {
    CAPTURE(shipped);
    const TempFolder folder;
    const std::string file = folder / "berth.yaml";
    std::string text = contents(shipped);
    const auto at = text.find("plugins:");
    REQUIRE(at != std::string::npos);
    text.replace(at, text.find('\n', at) - at, "plugins: " + tested_build().plugins);
    write_file(file, text);
    const Outcome check = berth({"check", file});
    CAPTURE(check.err);
    CHECK(check.status == 0);
  }
}

TEST_CASE("a listener may take a host's name and IPv6") {
  HostProcess host(
      one_listener("select", "probe", {"listen: [tcp://localhost:0, 'tcp://[::1]:0']"}));
  bool by_name = false;
  for (const auto& line : host.log().lines()) {
    by_name = by_name || has(line.text, "listening on tcp://127.0.0.1:");
  }
  CHECK(by_name);
  CHECK(host.log().count("listening on tcp://[::1]:") >= 1);
}

TEST_CASE("SIGUSR1 opens the log anew after it was renamed") {
  const TempFolder folder;
  const std::string log = folder / "berth.log";
  const std::string old = folder / "berth.log.1";
  const std::string file = folder / "berth.yaml";
  write_file(file, one_listener("fork", "echo").top("log: {file: " + log + "}").text());
  const pid_t pid =
      start_program({tested_build().program, "run", file}, STDERR_FILENO, STDERR_FILENO);
  REQUIRE(wait_until([&] { return has(contents(log), "berth is ready"); }));
  std::filesystem::rename(log, old);
  ::kill(pid, SIGUSR1);
  CHECK(wait_until([&] { return has(contents(log), "log reopened"); }));
  const std::string text = contents(old);
  const std::string words = "listening on tcp://127.0.0.1:";
  const auto port = std::stoi(text.substr(text.find(words) + words.size()));
  // The worker has its own copy of the log.
  CHECK(wait_until([&] {
    Client(static_cast<std::uint16_t>(port)).close();
    return has(contents(log), " ended: ");
  }));
  ::kill(pid, SIGTERM);
  CHECK(wait_for_end(pid) == 0);
  CHECK(has(contents(log), "berth has stopped"));
  CHECK(!has(contents(old), "berth has stopped"));
  CHECK(wait_until_childless().empty());
}
