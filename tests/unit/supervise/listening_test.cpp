#include "supervise/listening.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <set>
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

struct Bound {
  ListeningSockets sockets;
  std::string problems;
};

// As one listener of a generation does that comes after those in `existing`.
Bound bind(const ListenerSettings& settings, std::vector<const ListeningSockets*> existing = {},
           const ListeningSockets* predecessor = nullptr) {
  Diagnostics problems("c.yaml");
  ActivatedSockets none;
  Binder binder(std::move(existing), none);
  ListeningSockets sockets = binder.bind(settings, predecessor, problems);
  return {std::move(sockets), problems.to_text()};
}

std::uint16_t port_of(const BoundAddress& bound) { return bound.actual.port(); }

// Which sockets these are, whatever their descriptors.
std::vector<ino_t> identities(const BoundAddress& bound) {
  std::vector<ino_t> all;
  for (const Fd& socket : bound.sockets) {
    struct stat status {};
    REQUIRE(::fstat(socket.get(), &status) == 0);
    all.push_back(status.st_ino);
  }
  return all;
}

TEST_CASE("each worker gets a socket of its own on every address of its listener") {
  const Bound bound = bind(listener("a", {0, 0}, 3));
  REQUIRE(bound.problems.empty());
  REQUIRE(bound.sockets.size() == 2);
  CHECK(port_of(bound.sockets[0]) != port_of(bound.sockets[1]));
  std::set<int> all;
  for (unsigned worker = 0; worker < 3; ++worker) {
    const auto own = sockets_of(bound.sockets, worker, 3);
    REQUIRE(own.size() == 2);
    CHECK(local_address(own[0].number).port() == port_of(bound.sockets[0]));
    CHECK(local_address(own[1].number).port() == port_of(bound.sockets[1]));
    for (const ListeningSocket& each : own) all.insert(each.number);
  }
  CHECK(all.size() == 6);
}

TEST_CASE("every address that somebody's workers share already is told with its place") {
  const Bound first = bind(listener("a", {0, 0}, 2));
  REQUIRE(first.problems.empty());
  const std::uint16_t a = port_of(first.sockets[0]), b = port_of(first.sockets[1]);
  const std::string said = bind(listener("c", {0, a, b}, 2)).problems;
  const auto line = [](const std::string& where, std::uint16_t port) {
    return "c.yaml:" + where +
           ": listener 'c': cannot bind tcp://127.0.0.1:" + std::to_string(port) +
           ": Address already in use";
  };
  CHECK(said.find(line("2:1", a)) != said.npos);
  CHECK(said.find(line("3:1", b)) != said.npos);
}

TEST_CASE("a successor takes over the very sockets of the one before it, of port 0 too") {
  const Bound first = bind(listener("a", {0}, 2));
  const Bound second = bind(listener("a", {0}, 2), {&first.sockets}, &first.sockets);
  REQUIRE(second.problems.empty());
  CHECK(second.sockets[0].taken_over);
  CHECK(identities(second.sockets[0]) == identities(first.sockets[0]));
}

TEST_CASE("port 0 of somebody else is another port") {
  const Bound first = bind(listener("a", {0}, 1));
  const Bound second = bind(listener("b", {0}, 1), {&first.sockets});
  REQUIRE(second.problems.empty());
  CHECK(port_of(second.sockets[0]) != port_of(first.sockets[0]));
}

TEST_CASE("an address that moves to another listener takes its sockets along") {
  const std::uint16_t port = port_of(bind(listener("probe", {0}, 1)).sockets[0]);
  const Bound first = bind(listener("a", {port}, 1));
  const Bound second = bind(listener("b", {port}, 1), {&first.sockets});
  REQUIRE(second.problems.empty());
  CHECK(identities(second.sockets[0]) == identities(first.sockets[0]));
}

TEST_CASE("more workers keep the sockets that are there, and the others listen later") {
  const Bound first = bind(listener("a", {0}, 1));
  const Bound second = bind(listener("a", {0}, 3), {&first.sockets}, &first.sockets);
  REQUIRE(second.problems.empty());
  const auto& sockets = second.sockets[0].sockets;
  REQUIRE(sockets.size() == 3);
  CHECK(identities(second.sockets[0])[0] == identities(first.sockets[0])[0]);
  CHECK(is_listening(sockets[0].get()));
  CHECK_FALSE(is_listening(sockets[1].get()));
  CHECK_FALSE(is_listening(sockets[2].get()));
}

TEST_CASE("fewer workers share out all the sockets that are there") {
  const Bound first = bind(listener("a", {0}, 5));
  const Bound second = bind(listener("a", {0}, 2), {&first.sockets}, &first.sockets);
  REQUIRE(second.problems.empty());
  CHECK(identities(second.sockets[0]) == identities(first.sockets[0]));
  CHECK(sockets_of(second.sockets, 0, 2).size() == 3);
  CHECK(sockets_of(second.sockets, 1, 2).size() == 2);
}

TEST_CASE("a socket that was shut down is not taken over") {
  const Bound first = bind(listener("a", {0}, 2));
  REQUIRE(::shutdown(first.sockets[0].sockets[0].get(), SHUT_RDWR) == 0);
  const Bound second = bind(listener("a", {0}, 2), {&first.sockets}, &first.sockets);
  REQUIRE(second.problems.empty());
  REQUIRE(second.sockets[0].sockets.size() == 2);
  CHECK(identities(second.sockets[0])[0] == identities(first.sockets[0])[1]);
}

ListenerSettings datagrams(std::uint16_t port, unsigned workers, Multicast groups = {}) {
  ListenerSettings settings = listener("a", {port}, workers);
  settings.listen[0] = {Scheme::udp, "0.0.0.0", port, {}, std::move(groups)};
  return settings;
}

TEST_CASE("sockets of UDP are taken over, and those that are added are bound when all is settled") {
  LogSettings settings;
  settings.file = "/dev/null";
  Log log;
  REQUIRE(log.open(settings));
  const Bound first = bind(datagrams(0, 1));
  REQUIRE(first.problems.empty());
  CHECK(first.sockets[0].scheme == Scheme::udp);
  Bound second = bind(datagrams(0, 2), {&first.sockets}, &first.sockets);
  REQUIRE(second.problems.empty());
  const auto& sockets = second.sockets[0].sockets;
  REQUIRE(sockets.size() == 2);
  CHECK(identities(second.sockets[0])[0] == identities(first.sockets[0])[0]);
  CHECK_FALSE(is_listening(sockets[1].get()));
  adapt(datagrams(0, 2), second.sockets, log);
  CHECK(local_address(sockets[1].get()) == second.sockets[0].actual);
}

TEST_CASE("a worker of datagrams that is given up has a socket that is bound to nothing") {
  Bound bound = bind(datagrams(0, 2));
  REQUIRE(bound.problems.empty());
  refuse_clients(bound.sockets, 1, 2, false);
  CHECK(is_listening(bound.sockets[0].sockets[0].get()));
  CHECK_FALSE(is_listening(bound.sockets[0].sockets[1].get()));
  const Bound next = bind(datagrams(0, 2), {&bound.sockets}, &bound.sockets);
  REQUIRE(next.problems.empty());
  CHECK(identities(next.sockets[0])[0] == identities(bound.sockets[0])[0]);
}

TEST_CASE(
    "groups are joined at once by a new socket, and by one that was taken over when settled") {
  const Multicast groups = {{"239.1.2.3"}, "lo"};
  const auto joined = [](const BoundAddress& bound) { return bound.joined.groups.size(); };
  const Bound first = bind(datagrams(0, 1, groups));
  REQUIRE_MESSAGE(first.problems.empty(), first.problems);
  CHECK(joined(first.sockets[0]) == 1);
  const Bound second = bind(datagrams(0, 1), {&first.sockets}, &first.sockets);
  CHECK(joined(second.sockets[0]) == 1);
  CHECK(second.sockets[0].wanted.groups.empty());
  CHECK(bind(datagrams(0, 1, {{"239.1.2.3"}, "none"}))
            .problems.find("cannot join the group 239.1.2.3 on interface 'none'") !=
        std::string::npos);
  CHECK(bind(datagrams(0, 1, {{"ff02::1"}, ""}))
            .problems.find("'0.0.0.0' has no address of its kind") != std::string::npos);
}

// As a service manager's socket that bears `name`, made by this process.
ActivatedSockets handed_over(const std::string& name, Fd socket) {
  const SocketAddress address = local_address(socket.get());
  std::vector<ActivatedSocket> sockets;
  sockets.push_back({name, address, std::move(socket)});
  ActivatedSockets activated(std::move(sockets));
  activated.keep_for({"a", "b"});
  return activated;
}

Fd made_elsewhere() {
  return std::move(listen_on(resolve({Scheme::tcp, "127.0.0.1", 0}).value().at(0), 5).value());
}

TEST_CASE("a socket that was handed over is used in place of one bound at its address") {
  Fd socket = made_elsewhere();
  const int number = socket.get();
  const std::uint16_t port = local_address(number).port();
  ActivatedSockets activated = handed_over("", std::move(socket));
  Diagnostics problems("c.yaml");
  const auto sockets = Binder({}, activated).bind(listener("a", {0, port}, 1), nullptr, problems);
  CHECK(problems.empty());
  REQUIRE(sockets.size() == 2);
  CHECK(sockets[0].sockets[0].get() != number);
  CHECK(sockets[1].sockets[0].get() == number);
  CHECK(activated.take_rest().empty());
}

TEST_CASE("a socket with the listener's name stands for all of its addresses, for each worker") {
  Fd socket = made_elsewhere();
  const std::uint16_t port = local_address(socket.get()).port();
  ActivatedSockets activated = handed_over("a", std::move(socket));
  Diagnostics problems("c.yaml");
  const auto sockets = Binder({}, activated).bind(listener("a", {0, 0}, 2), nullptr, problems);
  CHECK(problems.empty());
  REQUIRE(sockets.size() == 1);
  REQUIRE(sockets[0].sockets.size() == 2);
  for (const Fd& each : sockets[0].sockets) CHECK(local_address(each.get()).port() == port);
}

}  // namespace
}  // namespace berth
