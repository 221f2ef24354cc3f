// Connected sockets for tests.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "net/socket.hpp"

namespace berth::testing {

struct Pair {
  Fd served;
  Fd client;
};

inline Pair unix_pair() {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

inline Fd listen_at(const std::string& host, std::uint16_t port, int backlog = 64) {
  auto socket = listen_on(resolve({Scheme::tcp, host, port}).value()[0], backlog);
  REQUIRE(socket);
  return std::move(*socket);
}

inline Fd listen_somewhere(int backlog = 64) { return listen_at("127.0.0.1", 0, backlog); }

inline Fd connect_to(const Fd& listening) {
  Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const SocketAddress address = local_address(listening.get());
  REQUIRE(::connect(client.get(), address.get(), address.size()) == 0);
  return client;
}

inline Pair tcp_pair() {
  const Fd listening = listen_somewhere();
  Pair pair;
  pair.client = connect_to(listening);
  pair.served = Fd(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(pair.served);
  return pair;
}

// Blocking, whole, and without a signal. False where the other side is gone.
inline bool send_all(const Fd& to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// Up to so many bytes; fewer at the end of the stream or at an error.
inline std::string receive(const Fd& from, std::size_t most) {
  std::string all(most, '\0');
  std::size_t size = 0;
  while (size < most) {
    const ssize_t count = ::recv(from.get(), all.data() + size, most - size, 0);
    if (count <= 0) break;
    size += static_cast<std::size_t>(count);
  }
  all.resize(size);
  return all;
}
inline std::string receive_until_end(const Fd& from) {
  std::string all;
  for (std::string some; !(some = receive(from, 65536)).empty();) all += some;
  return all;
}

}  // namespace berth::testing
