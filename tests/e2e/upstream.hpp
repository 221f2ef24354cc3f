// A server of the test's own, that a handler under test connects to.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "client.hpp"
#include "wait_for.hpp"

namespace e2e {

class Upstream {
 public:
  // It listens, with room for so many that wait to be accepted; `down`: it has its port and refuses
  // whoever comes.
  static constexpr int down = -1;
  explicit Upstream(int backlog = 64) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{kPatience.count(), 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_, any, length) != 0 || ::getsockname(socket_, any, &length) != 0) {
      throw std::runtime_error("cannot bind");
    }
    port_ = ntohs(address.sin_port);
    if (backlog != down) listen(backlog);
  }
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;
  ~Upstream() { ::close(socket_); }

  // From here on it takes connections.
  void listen(int backlog = 64) const {
    if (::listen(socket_, backlog) != 0) throw std::runtime_error("cannot listen");
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // tcp://127.0.0.1:50123
  [[nodiscard]] std::string url() const { return "tcp://" + loopback(port_); }

  // The next that connects.
  [[nodiscard]] Client accept() const {
    const int connection = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) throw std::runtime_error("nobody connects to " + url());
    return Client::accepted(connection);
  }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

}  // namespace e2e
