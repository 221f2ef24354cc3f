// Listeners on Unix sockets: their files, who may connect, and what becomes of them over reloads,
// upgrades and ends. What is said over them stands in the tests of conversations.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "installed.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "temp_folder.hpp"
#include "wait_for.hpp"

using namespace e2e;
namespace fs = std::filesystem;

namespace {

std::string listen_at(const std::string& path) { return "listen: unix://" + path; }

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  REQUIRE(S_ISSOCK(status.st_mode));
  return status.st_mode & 07777;
}

// A socket that is bound there and listens to nobody, as a program leaves it that was killed.
void leave_dead_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  ::close(socket);
}

}  // namespace

TEST_CASE("a Unix socket has the mode that is said, 0660 where none is, and goes with the host") {
  const std::string usual = fresh_socket_path(), open = fresh_socket_path();
  HostProcess host(one_listener(
      "epoll", "probe", {"listen: [unix://" + usual + ", 'unix://" + open + "?mode=666']"}));
  CHECK(mode_of(usual) == 0660);
  CHECK(mode_of(open) == 0666);
  CHECK(Client(open).ask("local") == open);
  CHECK(host.stop(SIGTERM) == 0);
  CHECK_FALSE(fs::exists(usual));
  CHECK_FALSE(fs::exists(open));
}

TEST_CASE("the file of a Unix socket belongs to whom the address says") {
  if (::geteuid() != 0) return;  // only root may give files away
  const std::string path = fresh_socket_path();
  const HostProcess host(one_listener("fork", "probe", {listen_at(path + "?user=7&group=8")}));
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  CHECK(status.st_uid == 7);
  CHECK(status.st_gid == 8);
}

TEST_CASE("an owner that is not said any more is taken back by a reload") {
  if (::geteuid() != 0) return;
  const std::string path = fresh_socket_path();
  HostProcess host(one_listener("fork", "probe", {listen_at(path + "?mode=666&user=7&group=8")}));
  host.write_config(one_listener("fork", "probe", {listen_at(path)}));
  CHECK(host.command({"reload"}).status == 0);
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  CHECK(status.st_uid == 0);
  CHECK(status.st_gid == ::getegid());
  CHECK(mode_of(path) == 0660);
}

TEST_CASE("a name in the abstract namespace is listened on, and needs no file") {
  const std::string name = "@berth-e2e-abstract-" + std::to_string(::getpid());
  HostProcess host(one_listener("select", "probe", {"listen: 'unix://" + name + "'"}));
  CHECK(host.socket() == name);
  CHECK(Client(name).ask("local") == name);
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(is_refused(name));
}

TEST_CASE("a path that a killed program has left is taken over") {
  const std::string path = fresh_socket_path();
  leave_dead_socket(path);
  REQUIRE(is_refused(path));
  const HostProcess host(one_listener("thread", "probe", {listen_at(path)}));
  CHECK(Client(path).ask("id") == "1");
}

TEST_CASE("a path that somebody listens on is refused, and left to them") {
  const std::string path = fresh_socket_path();
  const HostProcess host(one_listener("thread", "probe", {listen_at(path)}));
  const TempFolder folder;
  write_file(folder / "berth.yaml", one_listener("epoll", "probe", {listen_at(path)}).text());
  const Outcome second = berth({"run", folder / "berth.yaml"});
  CHECK(second.status == 1);
  CHECK(has(second.err, "listener 'it': cannot bind unix://" + path +
                            ": Address already in use (another program listens there"));
  CHECK(Client(path).ask("listener") == "it");
}

TEST_CASE("a file that is no socket is left alone") {
  const std::string path = fresh_socket_path();
  write_file(path, "precious");
  const TempFolder folder;
  write_file(folder / "berth.yaml", one_listener("epoll", "probe", {listen_at(path)}).text());
  const Outcome outcome = berth({"run", folder / "berth.yaml"});
  CHECK(outcome.status == 1);
  CHECK(has(outcome.err, "that is there already, and no socket"));
  CHECK(contents(path) == "precious");
}

TEST_CASE("a socket that somebody has put in the place of the host's is not removed with it") {
  const std::string path = fresh_socket_path();
  HostProcess host(one_listener("epoll", "probe", {listen_at(path)}));
  fs::remove(path);
  leave_dead_socket(path);
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(fs::exists(path));
}

TEST_CASE_TEMPLATE("reloads hand a Unix socket on: nobody is refused, its file stays", Model,
                   EACH_MODEL_ON_UNIX) {
  const std::string path = fresh_socket_path();
  const auto config = [&](const std::string& settings, const std::string& key) {
    return one_listener(Model::name, "probe", {listen_at(path + settings), key});
  };
  HostProcess host(config("", "workers: 1"));
  Client before(path);
  CHECK(before.ask("id") == "1");
  host.write_config(config("?mode=0600", "workers: 2"));
  CHECK(host.command({"reload"}).status == 0);
  CHECK(mode_of(path) == 0600);
  for (int i = 0; i < 8; ++i) CHECK(Client(path).ask("stopping") == "no");
  host.log().wait_for("draining: 1 connections");
  CHECK(before.ask("stopping") == "yes");
  before.close();
  host.log().wait_for("has ended; it served 1 connection");
  CHECK(Client(path).ask("stopping") == "no");  // the older generation took nothing with it
}

TEST_CASE("a listener that leaves the config takes its Unix socket along") {
  const std::string path = fresh_socket_path();
  Config both = one_listener("epoll", "probe");
  HostProcess host(both.listener("local", "epoll", "probe", {listen_at(path)}));
  CHECK(Client(path).ask("listener") == "local");
  host.write_config(one_listener("epoll", "probe"));
  CHECK(host.command({"reload"}).status == 0);
  CHECK(wait_until([&] { return !fs::exists(path); }));
}

TEST_CASE("a Unix socket whose file was removed is there again after a reload") {
  const std::string path = fresh_socket_path();
  HostProcess host(one_listener("thread", "probe", {listen_at(path)}));
  Client before(path);
  CHECK(before.ask("id") == "1");
  fs::remove(path);
  CHECK(host.command({"reload"}).status == 0);
  CHECK(Client(path).ask("stopping") == "no");
  host.log().wait_for("draining: 1 connections");
  CHECK(before.ask("stopping") == "yes");
  before.close();
  host.log().wait_for("has ended; it served 1 connection");
  CHECK(Client(path).ask("listener") == "it");
}

TEST_CASE("a Unix socket goes to another binary, and still goes with it") {
  const std::string path = fresh_socket_path();
  const InstalledProgram program;
  HostProcess host(one_listener("epoll", "probe", {listen_at(path)}), {.program = program.path()});
  CHECK(Client(path).ask("id") == "1");
  CHECK(host.command({"upgrade"}).status == 0);
  CHECK(Client(path).ask("stopping") == "no");
  CHECK(host.stop(SIGTERM) == 0);
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("another binary neither changes nor removes what lies in the place of the socket") {
  const std::string path = fresh_socket_path(), precious = fresh_socket_path();
  const InstalledProgram program;
  write_file(precious, "precious");
  fs::permissions(precious, fs::perms::owner_read);
  HostProcess host(one_listener("epoll", "probe", {listen_at(path + "?mode=666")}),
                   {.program = program.path()});
  fs::remove(path);
  fs::create_symlink(precious, path);
  host.expect_error("that is there already, and no socket");
  host.expect_error("nothing has been changed");
  CHECK(host.command({"upgrade"}).status == 1);
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(fs::is_symlink(path));
  CHECK(fs::status(precious).permissions() == fs::perms::owner_read);
}

TEST_CASE("who waits in the queue of a Unix socket is served when the worker has died") {
  const std::string path = fresh_socket_path();
  HostProcess host(one_listener("epoll", "probe", {listen_at(path), "max_connections: 1"}));
  host.expect_error("worker 0 (pid ");
  Client served(path);
  CHECK(served.ask("id") == "1");
  Client waiting(path);
  waiting.send("id\n");
  ::kill(host.worker(), SIGKILL);
  CHECK(waiting.read_line() == "1");  // of another worker
}

TEST_CASE("several workers serve one Unix socket, also when one of them is killed") {
  HostProcess host(one_listener("thread", "probe", {listen_at(fresh_socket_path()), "workers: 2"}));
  host.expect_error("worker 0 (pid ");
  const std::string path = host.socket();
  ::kill(host.worker("it", 0), SIGKILL);
  for (int i = 0; i < 20; ++i) CHECK(Client(path).ask("listener") == "it");
}

TEST_CASE("a failed listener refuses the clients of its Unix socket until a reload") {
  const std::string path = fresh_socket_path();
  HostProcess host(one_listener("fork", "probe", {listen_at(path)}));
  host.expect_error("worker 0 (pid ");
  host.expect_error("has failed");
  for (unsigned deaths = 1; deaths <= 5; ++deaths) {
    const pid_t worker = host.worker();
    ::kill(worker, SIGKILL);
    if (deaths < 5) CHECK(wait_until([&] { return host.worker() != worker; }));
  }
  host.log().wait_for("its clients are refused until a reload");
  CHECK(wait_until([&] { return is_refused(path); }));
  CHECK(host.command({"reload"}).status == 0);
  CHECK(Client(path).ask("listener") == "it");
  CHECK(mode_of(path) == 0660);
}

TEST_CASE(
    "a listener serves a Unix socket that a service manager hands over, and leaves it there") {
  const std::string path = fresh_socket_path();
  HostProcess host(one_listener("epoll", "probe", {"workers: 2"}),
                   {.by = {BERTH_WITH_SOCKETS, "it=" + path}, .environment = {}});
  CHECK(host.socket() == path);
  for (int i = 0; i < 4; ++i) CHECK(Client(path).ask("listener") == "it");
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(fs::exists(path));
}

TEST_CASE("limits by IP address do not concern clients of a Unix socket, and need one beside it") {
  const std::string path = fresh_socket_path();
  {
    HostProcess host(one_listener("epoll", "probe",
                                  {"listen: [unix://" + path + ", tcp://127.0.0.1:0]",
                                   "allow: [10.0.0.0/8]", "max_connections_per_source: 1"}));
    Client first(path), second(path);
    CHECK(first.ask("id") == "1");
    CHECK(second.ask("id") == "2");
    Client(host.port()).wait_until_closed();
  }
  const TempFolder folder;
  const auto config = one_listener("epoll", "probe", {listen_at(path), "deny: [10.0.0.0/8]"});
  write_file(folder / "berth.yaml", config.text());
  const Outcome outcome = berth({"check", folder / "berth.yaml"});
  CHECK(outcome.status == 78);
  CHECK(has(outcome.err, "'deny' is about IP addresses"));
}

TEST_CASE("`berth send` speaks to a Unix socket, and says what is wrong where it cannot") {
  const std::string path = fresh_socket_path();
  HostProcess host(one_listener("fork", "echo", {listen_at(path)}));
  const Outcome sent = berth({"send", "unix://" + path, "hello", "again"});
  CHECK(sent.status == 0);
  CHECK(has(sent.out, "Echo=>hello at "));
  CHECK(has(sent.out, "Echo=>again at "));
  const Outcome nowhere = berth({"send", "unix://" + path + ".not"});
  CHECK(nowhere.status == 1);
  CHECK(has(nowhere.err, "(no socket is there; is `berth run` running?)"));
  CHECK(has(berth({"send", "--port", "7", "unix://" + path}).err, "has no port: leave off --port"));
  CHECK(has(host.command({"status"}).out, "unix://" + path));
}
