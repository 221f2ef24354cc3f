// A port that the test itself listens on, so that a host which opens its sockets is found out.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace e2e {

class BusyPort {
 public:
  BusyPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_, any, length) != 0 || ::listen(socket_, 1) != 0 ||
        ::getsockname(socket_, any, &length) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port_ = ntohs(address.sin_port);
  }
  BusyPort(const BusyPort&) = delete;
  BusyPort& operator=(const BusyPort&) = delete;
  ~BusyPort() { ::close(socket_); }

  // tcp://127.0.0.1:50123
  [[nodiscard]] std::string url() const {
    std::string text = "tcp://127.0.0.1:";
    text += std::to_string(port_);
    return text;
  }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

}  // namespace e2e
