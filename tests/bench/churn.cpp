#include "churn.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace berth::bench {
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
  connection.socket = open_socket(opened_++);
  connection.stage = Stage::connecting;
  connection.received = 0;
  connection.position += message_;
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
