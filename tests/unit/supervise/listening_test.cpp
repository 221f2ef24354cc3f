#include "supervise/listening.hpp"

#include <doctest/doctest.h>

#include <string>

#include "net/socket.hpp"

namespace berth {
namespace {

ListenerSettings listener(const std::string& name, std::vector<std::uint16_t> ports,
                          unsigned workers) {
  ListenerSettings settings;
  settings.name = name;
  settings.workers = workers;
  for (const std::uint16_t port : ports) {
    settings.listen.push_back({Scheme::tcp, "127.0.0.1", port});
    settings.where.listen.push_back({static_cast<int>(settings.listen.size()), 1});
  }
  return settings;
}

HostSettings host(std::vector<ListenerSettings> listeners) {
  HostSettings settings;
  settings.file = "c.yaml";
  settings.listeners = std::move(listeners);
  return settings;
}

std::uint16_t port_of(const Fd& socket) { return local_address(socket.get()).port(); }

// Says nothing of what is bound well.
class QuietLog : public Log {
 public:
  QuietLog() {
    LogSettings settings;
    settings.level = LogLevel::warn;
    REQUIRE(open(settings));
  }
};

TEST_CASE("each worker gets a socket of its own on every address of its listener") {
  QuietLog log;
  auto bound = bind_all(host({listener("a", {0, 0}, 3), listener("b", {0}, 1)}), log);
  REQUIRE(bound);
  REQUIRE(bound->size() == 2);
  const ListeningSockets& sockets = (*bound)[0];
  REQUIRE(sockets.size() == 3);
  for (const WorkerSockets& own : sockets) {
    REQUIRE(own.size() == 2);
    CHECK(port_of(own[0]) == port_of(sockets[0][0]));
    CHECK(port_of(own[1]) == port_of(sockets[0][1]));
  }
  CHECK(port_of(sockets[0][0]) != port_of(sockets[0][1]));
  REQUIRE((*bound)[1].size() == 1);
  CHECK((*bound)[1][0].size() == 1);
}

ActivatedSockets handed_over(const std::string& name, Fd socket) {
  std::vector<ActivatedSocket> sockets;
  const SocketAddress address = local_address(socket.get());
  sockets.push_back({name, address, std::move(socket)});
  return ActivatedSockets(std::move(sockets));
}

TEST_CASE("a socket that was handed over is used for its address, and the rest is bound") {
  QuietLog log;
  Fd socket = std::move(listen_on(resolve({Scheme::tcp, "127.0.0.1", 0}).value().at(0), 5).value());
  const int number = socket.get();
  const std::uint16_t port = port_of(socket);
  auto bound =
      bind_all(host({listener("a", {0, port}, 1)}), log, handed_over("x", std::move(socket)));
  REQUIRE(bound);
  const WorkerSockets& own = (*bound)[0][0];
  REQUIRE(own.size() == 2);
  CHECK(own[0].get() != number);
  CHECK(own[1].get() == number);
}

TEST_CASE("a socket with the listener's name stands for all of its addresses, for each worker") {
  QuietLog log;
  Fd socket = std::move(listen_on(resolve({Scheme::tcp, "127.0.0.1", 0}).value().at(0), 5).value());
  const std::uint16_t port = port_of(socket);
  auto bound = bind_all(host({listener("a", {0, 0}, 2)}), log, handed_over("a", std::move(socket)));
  REQUIRE(bound);
  for (const WorkerSockets& own : (*bound)[0]) {
    REQUIRE(own.size() == 1);
    CHECK(port_of(own[0]) == port);
  }
}

TEST_CASE("every address that somebody's workers share already is told with its place") {
  QuietLog log;
  auto first = bind_all(host({listener("a", {0}, 2), listener("b", {0}, 2)}), log);
  REQUIRE(first);
  const std::uint16_t a = port_of((*first)[0][0][0]), b = port_of((*first)[1][1][0]);
  const auto second = bind_all(host({listener("c", {0, a}, 2), listener("d", {b}, 1)}), log);
  REQUIRE_FALSE(second);
  const auto line = [](const std::string& where, std::uint16_t port) {
    return "c.yaml:" + where + ": cannot bind tcp://127.0.0.1:" + std::to_string(port) +
           ": Address already in use";
  };
  const std::string& said = second.error().message;
  CHECK(said.find(line("1:1: listener 'd'", b)) != said.npos);
  CHECK(said.find(line("2:1: listener 'c'", a)) != said.npos);
}

}  // namespace
}  // namespace berth
