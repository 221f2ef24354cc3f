#include "stream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace berth::bench {
namespace {

void await(int socket, short events, const std::string& what) {
  constexpr int kLimitMs = 5000;
  pollfd awaited{socket, events, 0};
  if (poll(&awaited, 1, kLimitMs) != 1) throw Failure(what);
}

}  // namespace

Stream::Stream(const Workload& workload, const Destination& destination)
    : Load(destination),
      message_(workload.kind->message),
      depth_(workload.kind->depth),
      connections_(static_cast<std::size_t>(workload.connections)) {
  for (std::uint32_t slot = 0; slot < connections_.size(); ++slot) {
    connect(slot);
    watch(connections_[slot].channel->socket(), EPOLLIN, slot);
  }
  run({.timed = std::chrono::minutes(1), .limit = connections_.size() * depth_});
}

void Stream::connect(std::uint32_t slot) {
  Fd socket = open_socket(slot);
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (!connect_to_server(socket.get())) {
    await(socket.get(), POLLOUT, "connect: no answer in time");
  }
  std::unique_ptr<Channel>& channel = connections_[slot].channel;
  channel = channel_on(std::move(socket));
  while (!channel->open()) {
    if (errno != EAGAIN) throw system_failure("handshake");
    await(channel->socket(), static_cast<short>(channel->awaited()), "handshake: none in time");
  }
}

void Stream::start() {
  for (std::uint32_t slot = 0; slot < connections_.size(); ++slot) refill(slot);
}

void Stream::refill(std::uint32_t slot) {
  Connection& connection = connections_[slot];
  const std::uint64_t outstanding = connection.asked - connection.received / message_;
  const std::uint64_t more = std::min<std::uint64_t>(depth_ - outstanding, may_ask());
  connection.asked += more;
  count_asked(more);
  send_asked(slot);
}

// What the socket has no room for goes with the next reply: as long as bytes are on their way, a
// verbatim echo gives some back, and when none are, there is room. Only of half a record nothing
// comes back.
void Stream::send_asked(std::uint32_t slot) {
  Connection& connection = connections_[slot];
  const std::uint64_t size = connection.asked * message_ - connection.sent;
  if (size == 0) return;
  const ssize_t sent = connection.channel->send(pattern(slot, connection.sent), size);
  if (sent > 0) connection.sent += static_cast<std::uint64_t>(sent);
  if (sent < 0 && errno != EAGAIN) return lose(slot, std::strerror(errno));
  if (connection.channel->is_stuck() == connection.awaits_room) return;
  connection.awaits_room = !connection.awaits_room;
  std::uint32_t events = EPOLLIN;
  if (connection.awaits_room) events |= EPOLLOUT;
  watch(connection.channel->socket(), events, slot, true);
}

void Stream::handle(std::uint32_t slot, std::uint32_t events) {
  const Connection& connection = connections_[slot];
  if ((events & EPOLLOUT) != 0) send_asked(slot);
  while (connection.channel && receive(slot) && connection.channel->has_received_more()) continue;
}

// False if the connection was lost.
bool Stream::receive(std::uint32_t slot) {
  Connection& connection = connections_[slot];
  const ssize_t size = connection.channel->receive(buffer(), buffer_size());
  if (size < 0 && errno == EAGAIN) return true;
  if (size <= 0) {
    lose(slot, size < 0 ? std::strerror(errno) : "the server closed the connection");
    return false;
  }
  const auto arrived = static_cast<std::uint64_t>(size);
  if (connection.received + arrived > connection.sent) {
    throw Failure(name_of(slot) + ": more received than was sent");
  }
  verify(slot, connection.received, arrived);
  const std::uint64_t answered = connection.received / message_;
  connection.received += arrived;
  count_answered(connection.received / message_ - answered);
  refill(slot);
  return connection.channel != nullptr;
}

void Stream::lose(std::uint32_t slot, const char* why) {
  Connection& connection = connections_[slot];
  count_lost(connection.asked - connection.received / message_, name_of(slot) + ": " + why);
  connection.channel.reset();
}

void Stream::finish() {
  for (const Connection& connection : connections_) connection.channel->end_sending();
  for (std::uint32_t slot = 0; slot < connections_.size(); ++slot) {
    Channel& channel = *connections_[slot].channel;
    ssize_t size = 0;
    do {
      await(channel.socket(), POLLIN, name_of(slot) + ": not closed by the server");
      size = channel.receive(buffer(), buffer_size());
    } while (size < 0 && errno == EAGAIN);
    if (size < 0) throw system_failure(name_of(slot) + ", at its end");
    if (size > 0) throw Failure(name_of(slot) + ": more received than was sent");
    connections_[slot].channel.reset();
  }
}

}  // namespace berth::bench
