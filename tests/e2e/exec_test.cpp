// The exec handler: a program for each connection, which ends with it.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "temp_folder.hpp"
#include "wait_for.hpp"

using namespace e2e;
namespace fs = std::filesystem;

namespace {

std::string running(const std::string& command, const std::string& further = "") {
  return "options: {command: [" + command + "]" + further + "}";
}

// A line of the shell's, without a quote in it.
std::string shell(const std::string& line, const std::string& further = "") {
  return running("/bin/sh, -c, '" + line + "'", further);
}

// Nothing is there any more, not even a zombie. What outlives who started it is this process's.
bool has_ended(const std::string& pid) {
  (void)::waitpid(std::stoi(pid), nullptr, WNOHANG);
  return !fs::exists("/proc/" + pid);
}

// Whether the process that the program has named ends before patience is at its end.
bool ends(const std::string& pid) {
  return wait_until([&] { return has_ended(pid); });
}

}  // namespace

TEST_CASE_TEMPLATE("10 MB pass a program both ways byte for byte", Model,
                   EACH_MODEL_AND_TRANSPORT) {
  HostProcess host(one_listener_of<Model>("exec", running("/bin/cat")));
  Client client = host.connect<Model>();
  const std::string sent = bytes_of_all_values(10'000'000);
  std::thread sender([&] {
    client.send(sent);
    client.finish_sending();
  });
  const std::string received = client.read_to_end();
  sender.join();
  CHECK(received.size() == sent.size());
  CHECK((received == sent));
}

TEST_CASE_TEMPLATE("each connection has a program of its own", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "exec", {running("/bin/cat")}));
  std::vector<Client> clients;
  for (std::size_t i = 0; i < 10; ++i) clients.emplace_back(host.port());
  for (std::size_t i = 0; i < 10; ++i)
    CHECK(clients[i].ask(numbered("to", i)) == numbered("to", i));
  for (std::size_t i = 0; i < 10; ++i) clients[i].finish_sending();
  for (std::size_t i = 0; i < 10; ++i) CHECK(clients[i].read_to_end().empty());
  host.log().wait_for(" ended: ", 10);
}

TEST_CASE_TEMPLATE("a program that ends ends its session, and is no zombie", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "exec", {shell("echo $$")}));
  Client client(host.port());
  const std::string pid = client.read_line();
  CHECK(client.read_to_end().empty());
  host.log().wait_for(" ended: ");  // though the client has closed nothing
  CHECK(ends(pid));
}

TEST_CASE_TEMPLATE("the last words of a program that ends with input unread are delivered", Model,
                   EACH_MODEL_AND_TRANSPORT) {
  HostProcess host(one_listener_of<Model>("exec", shell("head -c 5; echo enough")));
  for (int i = 0; i < 5; ++i) {
    Client client = host.connect<Model>();
    client.send("12345");
    client.send(std::string(200'000, 'x'));
    CHECK(client.read_to_end() == "12345enough\n");
  }
}

TEST_CASE_TEMPLATE("a client that resets ends a program that neither reads nor writes", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "exec", {shell("echo $$; exec sleep 1000")}));
  Client client(host.port());
  const std::string pid = client.read_line();
  client.reset();
  CHECK(ends(pid));
  host.log().wait_for(" ended: ");
  CHECK(host.log().count("failed") == 0);  // it was told to
}

TEST_CASE_TEMPLATE("a program that does not end when told to is killed with all it has started",
                   Model, EACH_MODEL) {
  const std::string line =
      "trap : TERM; (trap : TERM; sleep 1000; sleep 1000) & "
      "echo $$; echo $!; while :; do sleep 1000; done";
  HostProcess host(one_listener(Model::name, "exec", {shell(line, ", kill_after: 100ms")}));
  Client client(host.port());
  const std::string pid = client.read_line();
  const std::string helper = client.read_line();
  client.reset();
  CHECK(ends(pid));
  CHECK(ends(helper));
  host.log().wait_for(" ended: ");
}

TEST_CASE_TEMPLATE("a program that is silent when its client has finished is ended", Model,
                   EACH_MODEL_AND_TRANSPORT) {
  HostProcess host(
      one_listener_of<Model>("exec", shell("echo $$; exec sleep 1000", ", finish_timeout: 100ms")));
  Client client = host.connect<Model>();
  const std::string pid = client.read_line();
  CHECK_FALSE(has_ended(pid));
  client.close();
  CHECK(ends(pid));
  host.log().wait_for(" ended: ");
}

TEST_CASE_TEMPLATE("a program that goes on without its input and output is ended", Model,
                   EACH_MODEL) {
  const std::string line = "echo $$; exec sleep 1000 <&- >&-";
  HostProcess host(one_listener(Model::name, "exec", {shell(line, ", finish_timeout: 100ms")}));
  Client client(host.port());
  const std::string pid = client.read_line();
  CHECK(client.read_to_end().empty());
  CHECK(ends(pid));
  host.log().wait_for(" ended: ");
}

TEST_CASE_TEMPLATE("what a program leaves running in its group ends with the session", Model,
                   EACH_MODEL) {
  const std::string line = "sleep 1000 >/dev/null 2>&1 </dev/null & echo $!";
  HostProcess host(one_listener(Model::name, "exec", {shell(line)}));
  Client client(host.port());
  const std::string helper = client.read_line();
  CHECK(client.read_to_end().empty());
  CHECK(ends(helper));
}

TEST_CASE_TEMPLATE("a program that only its input keeps sees the end of a worker that is killed",
                   Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "exec", {shell("echo $$; exec cat")}));
  Client client(host.port());
  const std::string pid = client.read_line();
  const pid_t served_by = state_of(std::stoi(pid)).parent;
  host.allow_error("worker 0 (pid ");
  host.allow_error("crashed");
  ::kill(served_by, SIGKILL);
  CHECK(ends(pid));
  client.wait_until_closed();
}

TEST_CASE_TEMPLATE("the drain's deadline ends programs, even those that do not listen", Model,
                   EACH_MODEL) {
  const std::string line = "trap : TERM; echo $$; while :; do sleep 1000; done";
  CHECK(counts_once([&] {
    HostProcess host(one_listener(Model::name, "exec", {shell(line)}).top("drain_timeout: 200ms"));
    Client client(host.port());
    const std::string pid = client.read_line();
    CHECK(host.stop(SIGTERM) == 0);
    if (host.has_killed_sessions()) return false;
    CHECK(ends(pid));
    client.wait_until_closed();
    return true;
  }));
}

TEST_CASE_TEMPLATE("a drain lets a program come to its end", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "exec", {running("/bin/cat")}));
  Client client(host.port());
  REQUIRE(client.ask("hello") == "hello");
  host.send_signal(SIGTERM);
  host.log().wait_for("draining: 1 connections");
  CHECK(client.ask("still here") == "still here");
  client.finish_sending();
  CHECK(client.read_to_end().empty());
  CHECK(host.wait_for_exit() == 0);
}

TEST_CASE_TEMPLATE("a program finds its client in its environment", Model,
                   EACH_MODEL_AND_TRANSPORT) {
  HostProcess host(one_listener_of<Model>(
      "exec", running("/usr/bin/env", ", environment: {COLOUR: light blue, PROTO2: none}")));
  Client client = host.connect<Model>();
  const std::string address = client.address();
  const std::string found = "\n" + client.read_to_end();
  CAPTURE(found);
  const auto tells = [&](const std::string& variable) {
    return has(found, "\n" + variable + "\n");
  };
  CHECK(tells("COLOUR=light blue"));
  CHECK(tells("PROTO2=none"));
  if (kOnUnix<Model>) {
    CHECK(tells("PROTO=UNIX"));
    CHECK(tells("UNIXLOCALPATH=" + host.socket()));
    CHECK(tells("UNIXREMOTEEUID=" + std::to_string(::geteuid())));
    CHECK(tells("UNIXREMOTEEGID=" + std::to_string(::getegid())));
    CHECK(tells("UNIXREMOTEPID=" + std::to_string(::getpid())));
  } else {
    CHECK(tells("PROTO=TCP"));
    CHECK(tells("TCPREMOTEIP=127.0.0.1"));
    CHECK(tells("TCPREMOTEPORT=" + address.substr(address.find(':') + 1)));
    CHECK(tells("TCPLOCALIP=127.0.0.1"));
    CHECK(tells("TCPLOCALPORT=" + std::to_string(host.port())));
  }
}

TEST_CASE_TEMPLATE("what a program writes to its standard error goes where the config says", Model,
                   EACH_MODEL) {
  const std::string line = "echo complaint >&2; printf unfinished >&2; echo reply";
  Config config;
  config.listener("logged", Model::name, "exec", {shell(line)});
  config.listener("discarded", Model::name, "exec", {shell(line, ", stderr: discard")});
  config.listener("sent", Model::name, "exec", {shell(line, ", stderr: client")});
  HostProcess host(config);
  CHECK(Client(host.port("discarded")).read_to_end() == "reply\n");
  CHECK(Client(host.port("sent")).read_to_end() == "complaint\nunfinishedreply\n");
  CHECK(Client(host.port("logged")).read_to_end() == "reply\n");
  const LogLine complaint = host.log().wait_for("complaint");
  CHECK(complaint.level == "info");
  CHECK(complaint.text.rfind("connection 1 from 127.0.0.1:", 0) == 0);
  CHECK(complaint.source == "logged");
  host.log().wait_for("unfinished");
  host.log().wait_for(" ended: ", 3);
  CHECK(host.log().count("complaint") == 1);
  CHECK(host.log().count("unfinished") == 1);
}

TEST_CASE_TEMPLATE("a program that fails is told of", Model, EACH_MODEL) {
  Config config;
  config.listener("status", Model::name, "exec", {shell("exit 3")});
  // Which it does not live to see, unless it was started with the signal blocked or ignored.
  config.listener("signal", Model::name, "exec", {shell("kill -TERM $$; exit 7")});
  config.listener("pipe", Model::name, "exec", {shell("kill -PIPE $$; exit 7")});
  HostProcess host(config);
  CHECK(Client(host.port("status")).read_to_end().empty());
  CHECK(host.log().wait_for("/bin/sh failed: exit status 3").level == "warn");
  CHECK(Client(host.port("signal")).read_to_end().empty());
  host.log().wait_for("/bin/sh failed: killed: Terminated");
  CHECK(Client(host.port("pipe")).read_to_end().empty());
  host.log().wait_for("/bin/sh failed: killed: Broken pipe");
}

TEST_CASE_TEMPLATE("a program has three descriptors and a process group of its own", Model,
                   EACH_MODEL) {
  const std::string line =
      "for n in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$n ] && printf \"%s \" $n; done; "
      "echo $$; cut -d\" \" -f5 /proc/$$/stat";
  HostProcess host(one_listener(Model::name, "exec", {shell(line)}));
  Client client(host.port());
  const std::string first = client.read_line();
  REQUIRE(first.rfind("0 1 2 ", 0) == 0);
  CHECK(first.substr(6) == client.read_line());
}

TEST_CASE("a program that cannot be run is a mistake of the config, told at its line") {
  const struct {
    const char* command;
    const char* why;
  } cases[] = {
      {"/bin/no-such-program", "cannot run /bin/no-such-program: No such file or directory"},
      {"/etc/passwd", "cannot run /etc/passwd: Permission denied"},
      {"/bin", "cannot run /bin: Permission denied"},
      {"cat", "'command' begins with 'cat', which is no whole path"},
      {"", "'command' names no program"},
  };
  Config config;
  for (const auto& one : cases) {
    config.listener("l" + std::to_string(&one - cases), "select", "exec", {running(one.command)});
  }
  const TempFolder folder;
  write_file(folder / "berth.yaml", config.text());
  const Outcome told = berth({"check", folder / "berth.yaml"});
  CAPTURE(told.err);
  CHECK(told.status == 78);
  for (const auto& one : cases) {
    const auto line = 5 + 5 * (&one - cases);
    CHECK(has(told.err, ":" + std::to_string(line) + ":14: handler 'exec' refuses: " + one.why));
  }
}
