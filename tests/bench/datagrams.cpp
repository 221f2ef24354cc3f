#include "datagrams.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace berth::bench {

Datagrams::Datagrams(const Workload& workload, const Destination& destination)
    : Load(destination),
      message_(workload.kind->message),
      clients_(static_cast<std::size_t>(workload.connections)) {
  for (std::uint32_t slot = 0; slot < clients_.size(); ++slot) {
    Fd& socket = clients_[slot].socket;
    socket = open_socket(slot);
    connect_to_server(socket.get());
    watch(socket.get(), EPOLLIN, slot);
  }
  run({.limit = clients_.size()});
}

void Datagrams::start() {
  for (std::uint32_t slot = 0; slot < clients_.size() && may_ask() > 0; ++slot) ask(slot);
}

void Datagrams::ask(std::uint32_t slot) {
  Client& client = clients_[slot];
  client.position += message_;
  count_asked(1);
  const ssize_t sent =
      send(client.socket.get(), pattern(slot, client.position), message_, MSG_DONTWAIT);
  if (sent < 0) count_lost(1, name_of(slot) + ": " + std::strerror(errno));
}

void Datagrams::handle(std::uint32_t slot, std::uint32_t) {
  const Client& client = clients_[slot];
  const ssize_t size = recv(client.socket.get(), buffer(), buffer_size(), MSG_DONTWAIT);
  if (size < 0 && errno == EAGAIN) return;
  if (size < 0) return count_lost(1, name_of(slot) + ": " + std::strerror(errno));
  if (size != static_cast<ssize_t>(message_)) {
    throw Failure(name_of(slot) + ": a reply of " + std::to_string(size) + " bytes to " +
                  std::to_string(message_));
  }
  verify(slot, client.position, message_);
  count_answered(1);
  if (may_ask() > 0) ask(slot);
}

void Datagrams::finish() {
  for (std::uint32_t slot = 0; slot < clients_.size(); ++slot) {
    if (recv(clients_[slot].socket.get(), buffer(), buffer_size(), MSG_DONTWAIT) >= 0) {
      throw Failure(name_of(slot) + ": more received than was sent");
    }
  }
}

}  // namespace berth::bench
