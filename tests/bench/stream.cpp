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

Stream::Stream(const Workload& workload, std::uint16_t port)
    : Load(port),
      message_(workload.kind->message),
      depth_(workload.kind->depth),
      connections_(static_cast<std::size_t>(workload.connections)) {
  for (std::uint32_t slot = 0; slot < connections_.size(); ++slot) {
    Fd& socket = connections_[slot].socket;
    socket = open_socket(slot);
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!connect_to_server(socket.get())) {
      pollfd connected{socket.get(), POLLOUT, 0};
      constexpr int kConnectLimitMs = 5000;
      if (poll(&connected, 1, kConnectLimitMs) != 1) throw Failure("connect: no answer in time");
    }
    watch(socket.get(), EPOLLIN, slot);
  }
  run({.timed = std::chrono::minutes(1), .limit = connections_.size() * depth_});
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
  // What the socket has no room for goes with the next reply: as long as bytes are on their way, a
  // verbatim echo gives some back, and when none are, there is room.
  const std::uint64_t size = connection.asked * message_ - connection.sent;
  if (size == 0) return;
  const ssize_t sent = send(connection.socket.get(), pattern(slot, connection.sent), size,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) connection.sent += static_cast<std::uint64_t>(sent);
  if (sent < 0 && errno != EAGAIN) lose(slot, std::strerror(errno));
}

void Stream::handle(std::uint32_t slot, std::uint32_t) {
  Connection& connection = connections_[slot];
  const ssize_t size = recv(connection.socket.get(), buffer(), buffer_size(), 0);
  if (size < 0 && errno == EAGAIN) return;
  if (size < 0) return lose(slot, std::strerror(errno));
  if (size == 0) return lose(slot, "the server closed the connection");
  const auto arrived = static_cast<std::uint64_t>(size);
  if (connection.received + arrived > connection.sent) {
    throw Failure("connection " + std::to_string(slot) + ": more received than was sent");
  }
  verify(slot, connection.received, arrived);
  const std::uint64_t answered = connection.received / message_;
  connection.received += arrived;
  count_answered(connection.received / message_ - answered);
  refill(slot);
}

void Stream::lose(std::uint32_t slot, const char* why) {
  Connection& connection = connections_[slot];
  count_lost(connection.asked - connection.received / message_,
             "connection " + std::to_string(slot) + ": " + why);
  connection.socket.reset();
}

void Stream::finish() {
  for (const Connection& connection : connections_) shutdown(connection.socket.get(), SHUT_WR);
  for (std::uint32_t slot = 0; slot < connections_.size(); ++slot) {
    Fd& socket = connections_[slot].socket;
    pollfd closed{socket.get(), POLLIN, 0};
    constexpr int kCloseLimitMs = 5000;
    const std::string who = "connection " + std::to_string(slot);
    if (poll(&closed, 1, kCloseLimitMs) != 1) throw Failure(who + ": not closed by the server");
    const ssize_t size = recv(socket.get(), buffer(), buffer_size(), 0);
    if (size < 0) throw Failure(who + ", at its end: " + std::strerror(errno));
    if (size > 0) throw Failure(who + ": more received than was sent");
    socket.reset();
  }
}

}  // namespace berth::bench
