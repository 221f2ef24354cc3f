// A host that a service manager has started: what it tells the manager, and the sockets that it is
// handed. Stand-ins play the manager's part.
#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>

#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "installed.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

// Hears what hosts say to NOTIFY_SOCKET.
class Manager {
 public:
  Manager() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), length) != 0) {
      throw std::runtime_error("cannot bind " + name_);
    }
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  ~Manager() { ::close(socket_); }

  [[nodiscard]] std::string variable() const { return "NOTIFY_SOCKET=" + name_; }
  // Waits for the next message.
  std::string next() const {
    pollfd polled = {socket_, POLLIN, 0};
    const auto patience = std::chrono::milliseconds(kPatience).count();
    if (::poll(&polled, 1, static_cast<int>(patience)) <= 0) return "nothing was heard";
    char text[4096];
    const ssize_t length = ::recv(socket_, text, sizeof text, 0);
    return length < 0 ? "nothing was heard" : std::string(text, static_cast<std::size_t>(length));
  }

 private:
  const std::string name_ = "@berth-e2e-" + std::to_string(::getpid());
  const int socket_;
};

}  // namespace

TEST_CASE("a service manager hears when the host is ready and when it stops") {
  const Manager manager;
  HostProcess host(one_listener("fork", "probe").top("drain_timeout: 7s"),
                   {.by = {}, .environment = {manager.variable()}});
  CHECK(manager.next() == "READY=1\nSTATUS=1 listeners\n");
  CHECK(Client(host.port()).ask("manager") == "none");
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(manager.next() ==
        "STOPPING=1\nSTATUS=draining, at most 7s\nEXTEND_TIMEOUT_USEC=10000000\n");
}

TEST_CASE("a service manager hears of reloads and upgrades, well and badly ended") {
  const Manager manager;
  const InstalledProgram program;
  HostProcess host(one_listener("epoll", "probe"),
                   {.environment = {manager.variable()}, .program = program.path()});
  CHECK(manager.next() == "READY=1\nSTATUS=1 listeners\n");
  const auto hear = [&](const char* command, const std::string& then) {
    (void)host.command({command});
    CHECK(manager.next().rfind("RELOADING=1\nMONOTONIC_USEC=", 0) == 0);
    std::string said = manager.next();
    if (said.rfind("MAINPID=", 0) == 0) said = manager.next();
    CAPTURE(said);
    CHECK(said.rfind("READY=1\n", 0) == 0);
    CHECK(has(said, then));
  };
  hear("upgrade", "generation 2 serves");  // the new binary still knows whom to tell
  hear("upgrade", "generation 3 serves");
  host.write_config(one_listener("thread", "probe"));
  hear("reload", "generation 4 serves");
  host.expect_error("nonsense");
  host.expect_error("nothing has been changed");
  Config bad = one_listener("thread", "probe");
  host.write_config(bad.top("nonsense: 1"));
  hear("reload", "");
  CHECK(Client(host.port()).ask("manager") == "none");
}

TEST_CASE("a service manager that watches the host hears again and again that it lives") {
  const Manager manager;
  const HostProcess host(one_listener("select", "probe"),
                         {.by = {}, .environment = {manager.variable(), "WATCHDOG_USEC=100000"}});
  int alive = 0;
  for (int i = 0; i < 6; ++i) alive += manager.next() == "WATCHDOG=1\n" ? 1 : 0;
  CHECK(alive >= 5);  // beside them it says once that it is ready
}

TEST_CASE("a listener serves the sockets that a service manager hands over in its name") {
  HostProcess host(one_listener("select", "probe", {"listen: tcp://127.0.0.1:1"}),
                   {.by = {BERTH_WITH_SOCKETS, "it:stray:it"}, .environment = {}});
  CHECK(host.port("it", 0) != host.port("it", 1));
  for (const std::size_t nth : {0, 1}) {
    Client client(host.port("it", nth));
    CHECK(client.ask("listener") == "it");
    CHECK(client.ask("manager") == "none");
  }
  CHECK(host.log().count("no listener is called 'stray', and none listens on tcp://127.0.0.1:") ==
        1);
}

TEST_CASE("several workers share what is handed over, each with a queue of its own") {
  HostProcess host(one_listener("fork", "probe", {"workers: 2"}),
                   {.by = {BERTH_WITH_SOCKETS, "it"}, .environment = {}});
  for (int i = 0; i < 8; ++i) CHECK(Client(host.port()).ask("listener") == "it");
}
