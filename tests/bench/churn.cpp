#include "churn.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <cstring>

namespace berth::bench {

Churn::Churn(const Workload& workload, const Destination& destination)
    : Load(destination),
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
  Fd socket = open_socket(opened_++);
  connect_to_server(socket.get());
  connection.channel = channel_on(std::move(socket));
  connection.watched = 0;
  connection.stage = Stage::connecting;
  connection.received = 0;
  connection.position += message_;
  count_asked(1);
  // Over loopback the connection is usually made when connect returns, though it says otherwise.
  ask(slot);
}

void Churn::ask(std::uint32_t slot) {
  Connection& connection = connections_[slot];
  const ssize_t sent = connection.channel->send(pattern(slot, connection.position), message_);
  if (sent == static_cast<ssize_t>(message_)) {
    connection.stage = Stage::awaiting_reply;
    watch_for(slot, EPOLLIN);
  } else if (sent < 0 && errno == EAGAIN) {
    watch_for(slot, connection.channel->awaited());
  } else {
    lose(slot, sent >= 0 ? "short write" : std::strerror(errno));
  }
}

void Churn::watch_for(std::uint32_t slot, std::uint32_t events) {
  Connection& connection = connections_[slot];
  if (connection.watched == events) return;
  watch(connection.channel->socket(), events, slot, connection.watched != 0);
  connection.watched = events;
}

void Churn::handle(std::uint32_t slot, std::uint32_t) {
  Connection& connection = connections_[slot];
  if (connection.stage == Stage::connecting) return ask(slot);
  while (receive(slot) && connection.channel->has_received_more()) continue;
}

// False once the connection has come to its end.
bool Churn::receive(std::uint32_t slot) {
  Connection& connection = connections_[slot];
  const ssize_t size = connection.channel->receive(buffer(), buffer_size());
  if (size < 0 && errno == EAGAIN) return true;
  if (size < 0) {
    lose(slot, std::strerror(errno));
    return false;
  }
  if (size == 0 && connection.stage == Stage::awaiting_close) {
    connection.channel.reset();
    count_answered(1);
    if (may_ask() > 0) open(slot);
    return false;
  }
  if (size == 0) {
    lose(slot, "the server closed the connection");
    return false;
  }
  const auto arrived = static_cast<std::size_t>(size);
  if (connection.received + arrived > message_) {
    throw Failure(name_of(slot) + ": more received than was sent");
  }
  verify(slot, connection.position + connection.received, arrived);
  connection.received += arrived;
  if (connection.received == message_) {
    connection.channel->end_sending();
    connection.stage = Stage::awaiting_close;
  }
  return true;
}

void Churn::lose(std::uint32_t slot, const char* why) {
  connections_[slot].channel.reset();
  count_lost(1, name_of(slot) + ": " + why);
}

}  // namespace berth::bench
