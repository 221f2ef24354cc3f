// Sockets of datagrams for tests.
#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <memory>
#include <string>
#include <string_view>

#include "net/datagram.hpp"
#include "net/socket.hpp"
#include "serve/datagram_layer.hpp"
#include "serve/datagram_receiver.hpp"

namespace berth::testing {

inline Fd udp_socket() {
  auto socket = listen_on(resolve({Scheme::udp, "127.0.0.1", 0}).value()[0], 0);
  REQUIRE(socket);
  return std::move(*socket);
}

// With a name of its own, which nobody else has.
inline Fd unix_datagram_socket() {
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un none{};
  none.sun_family = AF_UNIX;
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&none), sizeof none.sun_family) ==
          0);
  REQUIRE(set_up_datagrams(socket.get()));
  return socket;
}

inline void send_datagram(const Fd& from, int to, std::string_view text) {
  const SocketAddress address = local_address(to);
  REQUIRE(::sendto(from.get(), text.data(), text.size(), 0, address.get(), address.size()) ==
          static_cast<ssize_t>(text.size()));
}

// The next one, within a while; "nothing" where none comes.
inline std::string next_datagram(const Fd& socket) {
  pollfd polled{socket.get(), POLLIN, 0};
  std::string text(70'000, '\0');
  if (::poll(&polled, 1, 10'000) <= 0) return "nothing";
  const ssize_t count = ::recv(socket.get(), text.data(), text.size(), 0);
  if (count < 0) return "nothing";
  text.resize(static_cast<std::size_t>(count));
  return text;
}

inline bool has_datagram(const Fd& socket) {
  char byte;
  return ::recv(socket.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) >= 0;
}

// One that is sent from there, as the acceptor makes it.
inline std::unique_ptr<DatagramLayer> arrived_datagram(const Fd& from,
                                                       const std::shared_ptr<DatagramSocket>& on,
                                                       std::string_view text) {
  send_datagram(from, on->number(), text);
  DatagramReceiver receiver;
  REQUIRE(receiver.receive(*on, 1) == 1);
  const auto arrived = receiver.arrived(0);
  return DatagramLayer::make(on, arrived.envelope, arrived.bytes);
}

}  // namespace berth::testing
