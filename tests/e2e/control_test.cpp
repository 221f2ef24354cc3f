// The commands that speak to a host that runs.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <future>
#include <string>

#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "wait_for.hpp"

using namespace e2e;

TEST_CASE("`berth status` shows listeners, workers and connections") {
  HostProcess host(one_listener("epoll", "probe"));
  Client client(host.port());
  CHECK(client.ask("id") == "1");
  const Outcome status = host.command({"status"});
  CHECK(status.status == 0);
  CHECK(has(status.out, "serving: generation 1 of " + host.file()));
  CHECK(has(status.out, std::to_string(host.worker())));
  CHECK(has(status.out, "tcp://" + loopback(host.port())));
  const std::string json = host.command({"status", "--json"}).out;
  CHECK(has(json, "\"pid\": " + std::to_string(host.pid())));
  CHECK(has(json, "\"accepted\": 1,"));
  CHECK(has(json, "\"open\": 1,"));
}

TEST_CASE("`berth status` counts who was denied") {
  HostProcess host(one_listener("epoll", "probe", {"deny: [127.0.0.2]"}));
  for (int i = 0; i < 2; ++i) Client(host.port(), "127.0.0.2").wait_until_closed();
  CHECK(wait_until([&] {
    return has(host.command({"status", "--json"}).out, "\"denied_by_address\": 2,");
  }));
  const std::string table = host.command({"status"}).out;
  CAPTURE(table);
  CHECK(has(table, "accepted  denied  restarts"));
}

TEST_CASE("only the host's user may use the control socket, and it goes with the host") {
  HostProcess host(one_listener("epoll", "probe"));
  const auto path = host.folder() / "control.sock";
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK(S_ISSOCK(status.st_mode));
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(!std::filesystem::exists(path));
  const Outcome outcome = host.command({"status"});
  CHECK(outcome.status == 1);
  CHECK(has(outcome.err, "no host runs with that config"));
}

TEST_CASE("`berth status` does not wait for a host that is stopped") {
  HostProcess host(one_listener("epoll", "probe"));
  ::kill(host.pid(), SIGSTOP);
  const Outcome outcome = host.command({"status"});
  ::kill(host.pid(), SIGCONT);
  CHECK(outcome.status == 1);
  CHECK(has(outcome.err, "the host does not answer: it is stopped"));
}

TEST_CASE_TEMPLATE("a listener is drained and resumed, and the other does not notice", Model,
                   EACH_MODEL) {
  Config config = one_listener(Model::name, "probe");
  HostProcess host(config.listener("other", "epoll", "probe"));
  const auto port = host.port();
  Client client(port), other(host.port("other"));
  CHECK(client.ask("stopping") == "no");
  auto drained = std::async(std::launch::async, [&] { return host.command({"drain", "it"}); });
  host.log().wait_for("is taken out of service");
  host.log().wait_for("draining: 1 connections");
  CHECK(wait_until([&] { return is_refused(port); }));
  CHECK(client.ask("stopping") == "yes");
  CHECK(has(host.command({"status"}).out, "suspended"));
  client.close();
  CHECK(drained.get().status == 0);
  CHECK(other.ask("stopping") == "no");
  CHECK(host.command({"resume", "it"}).status == 0);
  CHECK(Client(port).ask("stopping") == "no");
  CHECK(host.command({"resume", "it"}).status == 1);
  const Outcome unknown = host.command({"drain", "ti"});
  CHECK(unknown.status == 1);
  CHECK(has(unknown.err, "there is no listener 'ti'"));
}

TEST_CASE("`berth stop` lets connections finish and returns when the host has stopped") {
  HostProcess host(one_listener("epoll", "probe"));
  Client client(host.port());
  CHECK(client.ask("stopping") == "no");
  auto stopped = std::async(std::launch::async, [&] { return host.command({"stop"}); });
  host.log().wait_for("draining: 1 connections");
  CHECK(host.command({"reload"}).status == 1);
  CHECK(client.ask("stopping") == "yes");
  client.close();
  CHECK(stopped.get().status == 0);
  CHECK(host.wait_for_exit() == 0);
}

TEST_CASE("`berth stop --now` cuts connections") {
  HostProcess host(one_listener("epoll", "probe"));
  Client client(host.port());
  CHECK(client.ask("stopping") == "no");
  CHECK(host.command({"stop", "--now"}).status == 0);
  client.wait_until_closed();
  CHECK(host.wait_for_exit() == 0);
}

TEST_CASE("a host is reached while its config is broken") {
  HostProcess host(one_listener("epoll", "probe"));
  Config bad = one_listener("epoll", "probe");
  host.write_config(bad.top("nonsense: [1"));
  CHECK(host.command({"status"}).status == 0);
  host.expect_error(host.file());
  host.expect_error("nothing has been changed");
  const Outcome outcome = host.command({"reload"});
  CHECK(outcome.status == 1);
  CHECK(has(outcome.err, host.file()));
}

TEST_CASE("a second host with the control socket of the first is refused") {
  HostProcess host(one_listener("epoll", "probe"));
  const Outcome second = berth({"run", host.file()});
  CHECK(second.status == 1);
  CHECK(has(second.err, "control socket: cannot bind unix://"));
  CHECK(has(second.err, "another program listens there"));
  CHECK(host.command({"status"}).status == 0);
}

TEST_CASE("a reload moves the control socket, or fails where it cannot") {
  const TempFolder elsewhere;
  HostProcess host(one_listener("epoll", "probe"));
  const auto move_control = [&](const std::string& path) {
    Config config = one_listener("epoll", "probe");
    write_file(host.file(), config.top("control: " + path).text());
  };
  write_file(elsewhere / "file", "precious");
  move_control(elsewhere / "file");
  host.expect_error("that is there already, and no socket");
  host.expect_error("nothing has been changed");
  host.send_signal(SIGHUP);
  host.log().wait_for("nothing has been changed");
  CHECK(contents(elsewhere / "file") == "precious");
  const std::string before = host.folder() / "control.sock";
  CHECK(berth({"status", "--socket", before}).status == 0);

  const std::string after = elsewhere / "other.sock";
  move_control(after);
  CHECK(berth({"reload", "--socket", before}).status == 0);
  CHECK(berth({"status", "--socket", after}).status == 0);
  CHECK(!std::filesystem::exists(before));
}

TEST_CASE("a control socket whose path was removed is there again after a reload") {
  HostProcess host(one_listener("epoll", "probe"));
  std::filesystem::remove(host.folder() / "control.sock");
  CHECK(host.command({"status"}).status == 1);
  host.send_signal(SIGHUP);
  host.log().wait_for("generation 2 serves");
  CHECK(host.command({"status"}).status == 0);
}

TEST_CASE("who waits to be resumed is not forgotten over a reload") {
  HostProcess host(one_listener("epoll", "probe"));
  const auto port = host.port();
  Client client(port);
  CHECK(client.ask("id") == "1");
  host.write_config(one_listener("thread", "probe"));
  CHECK(host.command({"reload"}).status == 0);  // the older generation drains
  CHECK(host.command({"drain", "it"}).status == 0);
  auto resumed = std::async(std::launch::async, [&] { return host.command({"resume", "it"}); });
  host.log().wait_for("is put back into service");
  host.send_signal(SIGHUP);
  host.log().wait_for("SIGHUP: reload");
  client.close();
  CHECK(resumed.get().status == 0);
  host.log().wait_for("generation 3 serves");
  CHECK(Client(port).ask("stopping") == "no");
}

TEST_CASE("a listener that is out of service stays so when the log is changed") {
  HostProcess host(one_listener("epoll", "probe"));
  const auto port = host.port();
  CHECK(host.command({"drain", "it"}).status == 0);
  Config config = one_listener("epoll", "probe");
  host.write_config(config.top("log: {level: debug}"));
  CHECK(host.command({"reload"}).status == 0);
  CHECK(has(host.command({"status"}).out, "suspended"));
  CHECK(is_refused(port));
}
