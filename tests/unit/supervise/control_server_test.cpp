#include "supervise/control_server.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <fstream>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include "scratch.hpp"
#include "serve/epoll_demultiplexer.hpp"

namespace berth {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

struct Rig {
  [[nodiscard]] Fd connect() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return socket;
  }
  // What comes until the end of the stream.
  std::string answer_to(const Fd& socket) {
    std::string text;
    CallWatcher watcher([&] {
      char buffer[4096];
      const ssize_t count = ::recv(socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (count <= 0) return loop.stop();
      text.append(buffer, static_cast<std::size_t>(count));
    });
    watcher.start(loop.demultiplexer(), socket.get());
    CallTimer patience(loop.timers(), [&] {
      text = "(nothing came)";
      loop.stop();
    });
    patience.arm(after(Clock::now(), 30s));
    loop.run();
    return text;
  }
  void listen() {
    auto bound = ControlServer::bind(path);
    REQUIRE(bound);
    server.move_to(std::move(*bound));
  }
  std::string ask(const std::string& line) {
    const Fd socket = connect();
    CHECK(::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(line.size()));
    return answer_to(socket);
  }

  testing::Scratch scratch;
  fs::path folder = scratch.path;
  fs::path path = folder / "c.sock";
  Log log;
  EventLoop loop{std::make_unique<EpollDemultiplexer>()};
  ControlServer server{loop, log, [this](const ControlRequest&, ControlClient client) {
                         server.answer(client, answer_ok("done"));
                       }};
};

TEST_CASE("a request is answered, and so is what is none") {
  Rig rig;
  rig.listen();
  CHECK(rig.ask("{\"command\": \"status\"}\n") == answer_ok("done"));
  CHECK(rig.ask("status\n") == answer_error("a request is one JSON object in a line"));
  CHECK(rig.ask(std::string(kLongestRequest, 'x')) == answer_error("that is too long"));
}

TEST_CASE("a client that goes away, or says nothing more, harms nobody") {
  Rig rig;
  rig.listen();
  { const Fd gone = rig.connect(); }
  const Fd silent = rig.connect();
  CHECK(rig.ask("{\"command\": \"status\"}\n") == answer_ok("done"));
  CHECK(rig.answer_to(silent).empty());  // it is not waited for without end
}

TEST_CASE("the socket is for its user alone, and is gone when it is closed") {
  Rig rig;
  rig.listen();
  struct stat status {};
  REQUIRE(::stat(rig.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  rig.server.close();
  CHECK_FALSE(fs::exists(rig.path));
}

TEST_CASE("a path that somebody listens on is refused, and left to them") {
  Rig rig;
  rig.listen();
  const auto refused = ControlServer::bind(rig.path);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("control socket: cannot bind unix://" + rig.path.string() +
                                     ": Address already in use (another program listens there") ==
        0);
  CHECK(rig.ask("{\"command\": \"status\"}\n") == answer_ok("done"));
}

TEST_CASE("a path that a dead host has left is taken over") {
  Rig rig;
  rig.listen();
  rig.server.close();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, rig.path.c_str());
  {
    const Fd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  REQUIRE(fs::exists(rig.path));
  rig.listen();
  CHECK(rig.ask("{\"command\": \"status\"}\n") == answer_ok("done"));
}

TEST_CASE("what is no socket is left alone") {
  Rig rig;
  std::ofstream(rig.path) << "precious";
  const auto refused = ControlServer::bind(rig.path);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("that is there already, and no socket") != std::string::npos);
  CHECK(fs::file_size(rig.path) == 8);
}

TEST_CASE("a path that leads to another's socket by now is left to it") {
  Rig rig;
  rig.listen();
  CHECK(rig.server.is_reachable());
  fs::remove(rig.path);
  CHECK_FALSE(rig.server.is_reachable());
  const auto other = ControlServer::bind(rig.path);
  REQUIRE(other);
  rig.server.close();
  CHECK(fs::exists(rig.path));
}

TEST_CASE("a path that is too long is refused before anything is made") {
  Rig rig;
  CHECK_FALSE(ControlServer::bind(rig.folder / std::string(200, 'x')));
  CHECK(fs::is_empty(rig.folder));
}

}  // namespace
}  // namespace berth
