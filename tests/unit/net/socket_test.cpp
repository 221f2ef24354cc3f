#include "net/socket.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <fstream>
#include <string>
#include <vector>

namespace {

using berth::Fd;
using berth::listen_on;
using berth::listen_together;
using berth::local_address;
using berth::Scheme;
using berth::SocketAddress;

SocketAddress numeric(const std::string& host, std::uint16_t port) {
  return berth::resolve({Scheme::tcp, host, port}).value()[0];
}

int option(int socket, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  REQUIRE(getsockopt(socket, level, name, &value, &length) == 0);
  return value;
}

TEST_CASE("a listening socket is non-blocking, close-on-exec, and knows its port") {
  const auto socket = listen_on(numeric("127.0.0.1", 0), 16);
  REQUIRE(socket);
  const int number = socket.value().get();
  CHECK((fcntl(number, F_GETFL) & O_NONBLOCK) != 0);
  CHECK((fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(option(number, SOL_SOCKET, SO_ACCEPTCONN) == 1);
  CHECK(local_address(number).port() != 0);
  CHECK(local_address(number).text().starts_with("127.0.0.1:"));
}

TEST_CASE("accepted sockets send small replies at once") {
  const auto listening = listen_on(numeric("127.0.0.1", 0), 16);
  REQUIRE(listening);
  const Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const SocketAddress address = local_address(listening.value().get());
  REQUIRE(connect(client.get(), address.get(), address.size()) == 0);
  const Fd accepted(accept4(listening.value().get(), nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(accepted);
  CHECK(option(accepted.get(), IPPROTO_TCP, TCP_NODELAY) == 1);
}

TEST_CASE("a port in use is told with the command that names its user") {
  const auto first = listen_on(numeric("127.0.0.1", 0), 16);
  REQUIRE(first);
  const std::uint16_t port = local_address(first.value().get()).port();
  const auto second = listen_on(numeric("127.0.0.1", port), 16);
  REQUIRE_FALSE(second);
  const std::string number = std::to_string(port);
  CHECK(second.error().message == "cannot bind tcp://127.0.0.1:" + number +
                                      ": Address already in use (another program or listener "
                                      "uses that port: ss -tanp 'sport = :" +
                                      number + "' names it)");
}

// How many of the clients that have connected wait in the queue of this socket.
std::size_t take_waiting(const Fd& listening) {
  std::size_t count = 0;
  while (Fd(accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC))) ++count;
  return count;
}

std::vector<Fd> connected_clients(const SocketAddress& address, std::size_t count) {
  std::vector<Fd> clients;
  while (clients.size() < count) {
    clients.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(connect(clients.back().get(), address.get(), address.size()) == 0);
  }
  return clients;
}

TEST_CASE("a listening socket tells how many wait in its queue, and no other socket does") {
  const auto listening = listen_on(numeric("127.0.0.1", 0), 16);
  REQUIRE(listening);
  const int number = listening.value().get();
  CHECK(berth::queue_length(number) == 0);
  CHECK_FALSE(berth::connection_waits(number));
  const auto clients = connected_clients(local_address(number), 3);
  CHECK(berth::queue_length(number) == 3);
  CHECK(berth::connection_waits(number));
  CHECK(take_waiting(listening.value()) == 3);
  CHECK(berth::queue_length(number) == 0);
  CHECK_FALSE(berth::connection_waits(number));
  CHECK(berth::queue_length(clients[0].get()) == std::nullopt);
  const Fd udp(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  CHECK(berth::queue_length(udp.get()) == std::nullopt);
}

TEST_CASE("sockets that listen together share a port and get clients each") {
  const auto sockets = listen_together(numeric("127.0.0.1", 0), 128, 3);
  REQUIRE(sockets);
  REQUIRE(sockets.value().size() == 3);
  const SocketAddress address = local_address(sockets.value()[0].get());
  const auto clients = connected_clients(address, 100);
  std::size_t sum = 0;
  for (const Fd& socket : sockets.value()) {
    CHECK(local_address(socket.get()).text() == address.text());
    const std::size_t waiting = take_waiting(socket);
    CHECK(waiting > 0);
    sum += waiting;
  }
  CHECK(sum == 100);
}

TEST_CASE("when one of several sockets is shut down the others get all clients") {
  const auto sockets = listen_together(numeric("127.0.0.1", 0), 128, 3);
  REQUIRE(sockets);
  REQUIRE(shutdown(sockets.value()[1].get(), SHUT_RDWR) == 0);
  const auto clients = connected_clients(local_address(sockets.value()[0].get()), 100);
  CHECK(take_waiting(sockets.value()[0]) + take_waiting(sockets.value()[2]) == 100);
}

TEST_CASE("one socket that listens together with none lets nobody join it") {
  const auto sockets = listen_together(numeric("127.0.0.1", 0), 16, 1);
  REQUIRE(sockets);
  CHECK(option(sockets.value()[0].get(), SOL_SOCKET, SO_REUSEPORT) == 0);
}

TEST_CASE("an address is refused to sockets that listen together if anybody has it already") {
  const auto alone = listen_on(numeric("127.0.0.1", 0), 16);
  const auto together = listen_together(numeric("127.0.0.1", 0), 16, 2);
  REQUIRE(alone);
  REQUIRE(together);
  for (const Fd* socket : {&alone.value(), &together.value()[0]}) {
    const auto taken = numeric("127.0.0.1", local_address(socket->get()).port());
    for (const unsigned count : {1u, 2u}) {
      const auto second = listen_together(taken, 16, count);
      REQUIRE_FALSE(second);
      CHECK(second.error().message.starts_with("cannot bind tcp://" + taken.text() +
                                               ": Address already in use (another program"));
    }
  }
}

TEST_CASE("an address of another machine is told as such") {
  // 192.0.2.0/24 is kept for documentation (RFC 5737): no machine has it.
  const auto socket = listen_on(numeric("192.0.2.1", 0), 16);
  REQUIRE_FALSE(socket);
  CHECK(socket.error().message ==
        "cannot bind tcp://192.0.2.1:0: Cannot assign requested address (this machine has no such "
        "address: ip address lists those it has)");
}

// What `listen_on` says to someone who is not root, asked in a process that can give root up.
std::string error_without_root(const SocketAddress& address) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  Fd reader(ends[0]);
  Fd writer(ends[1]);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(1);
    const auto socket = listen_on(address, 16);
    const std::string said = socket ? "no error" : socket.error().message;
    _exit(write(writer.get(), said.data(), said.size()) < 0 ? 1 : 0);
  }
  writer.reset();
  std::string said(1024, '\0');
  const ssize_t length = read(reader.get(), said.data(), said.size());
  said.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  waitpid(child, nullptr, 0);
  return said;
}

TEST_CASE("a port under 1024 is refused to all but root, with the remedy") {
  int first_unprivileged = 1024;
  std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> first_unprivileged;
  if (first_unprivileged <= 1) {
    MESSAGE("this machine keeps no port for root");
    return;
  }
  CHECK(error_without_root(numeric("127.0.0.1", 1)) ==
        "cannot bind tcp://127.0.0.1:1: Permission denied (ports under 1024 need root or "
        "CAP_NET_BIND_SERVICE)");
}

TEST_CASE("[::] leaves the port's IPv4 side to 0.0.0.0") {
  const auto ipv6 = listen_on(numeric("::", 0), 16);
  if (!ipv6) {
    MESSAGE("no IPv6 on this machine: " << ipv6.error().message);
    return;
  }
  const std::uint16_t port = local_address(ipv6.value().get()).port();
  CHECK(listen_on(numeric("0.0.0.0", port), 16));
}

TEST_CASE("the longest backlog is what the kernel allows") { CHECK(berth::longest_backlog() >= 1); }

TEST_CASE("a descriptor that is no socket has no local address") {
  CHECK(local_address(-1).text() == "unknown");
}

}  // namespace
