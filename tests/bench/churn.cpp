#include "churn.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace berth::bench {
namespace {

// 32 addresses with 28,000 ports each last for 15,000 connections a second to one server on the
// average, also where the kernel does not take ports back from TIME_WAIT early (tcp_tw_reuse).
constexpr std::uint32_t kFirstSource = 0x7f000101;  // 127.0.1.1
constexpr std::uint32_t kSources = 32;

void bind_to_source(int socket, std::uint32_t number) {
  const int on = 1;  // the port is chosen by connect, per destination, and not by bind for all
  setsockopt(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(kFirstSource + number % kSources);
  if (bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw system_failure("bind to a source address");
  }
}

}  // namespace

Churn::Churn(const Workload& workload, std::uint16_t port)
    : Load(port),
      message_(workload.kind->message),
      connections_(static_cast<std::size_t>(workload.connections)) {
  run({.limit = connections_.size()});
}

void Churn::start() {
  for (std::uint32_t slot = 0; slot < connections_.size(); ++slot) {
    if (may_ask() > 0) open(slot);
  }
}

void Churn::open(std::uint32_t slot) {
  Connection& connection = connections_[slot];
  connection.socket = open_socket();
  connection.stage = Stage::connecting;
  connection.received = 0;
  connection.position += message_;
  bind_to_source(connection.socket.get(), opened_++);
  connect_to_server(connection.socket.get());
  count_asked(1);
  // Over loopback the handshake is usually done when connect returns, though it says otherwise.
  if (ask(slot))
    watch(connection.socket.get(), connection.stage == Stage::connecting ? EPOLLOUT : EPOLLIN,
          slot);
}

// False if the connection was lost on the way.
bool Churn::ask(std::uint32_t slot) {
  Connection& connection = connections_[slot];
  const ssize_t sent =
      send(connection.socket.get(), pattern(slot, connection.position), message_, MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(message_)) {
    connection.stage = Stage::awaiting_reply;
  } else if (sent >= 0 || errno != EAGAIN) {
    lose(slot, sent >= 0 ? "short write" : std::strerror(errno));
    return false;
  }
  return true;
}

void Churn::handle(std::uint32_t slot, std::uint32_t) {
  Connection& connection = connections_[slot];
  if (connection.stage != Stage::connecting) return receive(slot);
  if (ask(slot) && connection.stage == Stage::awaiting_reply) {
    watch(connection.socket.get(), EPOLLIN, slot, true);
  }
}

void Churn::receive(std::uint32_t slot) {
  Connection& connection = connections_[slot];
  const ssize_t size = recv(connection.socket.get(), buffer(), buffer_size(), 0);
  if (size < 0 && errno == EAGAIN) return;
  if (size < 0) return lose(slot, std::strerror(errno));
  if (connection.stage == Stage::awaiting_close) {
    if (size > 0)
      throw Failure("connection " + std::to_string(slot) + ": more received than was sent");
    connection.socket.reset();
    count_answered(1);
    if (may_ask() > 0) open(slot);
    return;
  }
  if (size == 0) return lose(slot, "the server closed the connection");
  const auto arrived = static_cast<std::size_t>(size);
  if (connection.received + arrived > message_) {
    throw Failure("connection " + std::to_string(slot) + ": more received than was sent");
  }
  verify(slot, connection.position + connection.received, arrived);
  connection.received += arrived;
  if (connection.received < message_) return;
  shutdown(connection.socket.get(), SHUT_WR);
  connection.stage = Stage::awaiting_close;
}

void Churn::lose(std::uint32_t slot, const char* why) {
  connections_[slot].socket.reset();
  count_lost(1, "connection " + std::to_string(slot) + ": " + why);
}

}  // namespace berth::bench
