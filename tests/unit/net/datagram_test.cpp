#include "net/datagram.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <cstring>
#include <string>

#include "net/multicast.hpp"
#include "net/socket.hpp"

namespace berth {
namespace {

SocketAddress numeric(Scheme scheme, const std::string& host, std::uint16_t port) {
  return resolve({scheme, host, port}).value()[0];
}

Fd bound_at(const std::string& host) {
  auto socket = listen_on(numeric(Scheme::udp, host, 0), 0);
  REQUIRE(socket);
  return std::move(*socket);
}

void send_to(const Fd& from, const SocketAddress& to, const std::string& text) {
  REQUIRE(::sendto(from.get(), text.data(), text.size(), 0, to.get(), to.size()) ==
          static_cast<ssize_t>(text.size()));
}

// Of the next datagram.
Envelope receive(const Fd& socket) {
  char bytes[100];
  sockaddr_storage from{};
  iovec piece{bytes, sizeof bytes};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  DatagramControl control;
  const SocketAddress local = local_address(socket.get());
  control.attach_to(message, local.is_unix());
  REQUIRE(::recvmsg(socket.get(), &message, 0) >= 0);
  return envelope_of(message, local);
}

void answer(const Fd& socket, const Envelope& envelope) {
  msghdr message{};
  message.msg_name = const_cast<sockaddr*>(envelope.from.get());
  message.msg_namelen = envelope.from.size();
  DatagramControl control;
  control.say_source(message, envelope.answer_from);
  REQUIRE(::sendmsg(socket.get(), &message, 0) == 0);
}

TEST_CASE("a socket at every address tells which was meant, and answers from there") {
  const Fd served = bound_at("0.0.0.0"), client = bound_at("127.0.0.1");
  const std::uint16_t port = local_address(served.get()).port();
  send_to(client, numeric(Scheme::udp, "127.0.0.9", port), "hello");
  const Envelope came = receive(served);
  CHECK(came.from == local_address(client.get()));
  CHECK(came.peer == Peer(local_address(client.get())));
  CHECK(came.to == numeric(Scheme::udp, "127.0.0.9", port));
  answer(served, came);
  CHECK(receive(client).from == numeric(Scheme::udp, "127.0.0.9", port));
}

TEST_CASE("the same over IPv6") {
  const Fd served = bound_at("::"), client = bound_at("::1");
  const std::uint16_t port = local_address(served.get()).port();
  send_to(client, numeric(Scheme::udp, "::1", port), "hello");
  const Envelope came = receive(served);
  CHECK(came.from == local_address(client.get()));
  CHECK(came.to == numeric(Scheme::udp, "::1", port));
  answer(served, came);
  CHECK(receive(client).from == numeric(Scheme::udp, "::1", port));
}

TEST_CASE("who sends to a Unix socket is told by credentials, and is answered if it has a name") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0);
  const Fd served(ends[0]), client(ends[1]);
  REQUIRE(set_up_datagrams(served.get()));
  REQUIRE(::send(client.get(), "x", 1, 0) == 1);
  const Envelope nameless = receive(served);
  CHECK_FALSE(nameless.can_be_answered());
  CHECK(nameless.peer == Peer(ucred{::getpid(), ::geteuid(), ::getegid()}));
}

TEST_CASE("descriptors that are sent along are not taken") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0);
  const Fd served(ends[0]), client(ends[1]);
  REQUIRE(set_up_datagrams(served.get()));
  msghdr message{};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(head), &ends[1], sizeof(int));
  REQUIRE(::sendmsg(client.get(), &message, 0) == 0);
  const Fd next(::dup(0));
  (void)receive(served);
  CHECK(Fd(::dup(0)).get() == next.get() + 1);
}

TEST_CASE("the kernel tells how many datagrams it has dropped") {
  const Fd served = bound_at("127.0.0.1"), client = bound_at("127.0.0.1");
  CHECK(dropped_datagrams(served.get()) == 0);
  const int little = 4096;
  REQUIRE(::setsockopt(served.get(), SOL_SOCKET, SO_RCVBUF, &little, sizeof little) == 0);
  for (int i = 0; i < 50; ++i) send_to(client, local_address(served.get()), std::string(1000, 'x'));
  CHECK(dropped_datagrams(served.get()) > 0);
}

TEST_CASE("a port of UDP is one host's, also when its workers share it, and is no port of TCP") {
  const auto own = listen_together(numeric(Scheme::udp, "127.0.0.1", 0), 0, 3);
  REQUIRE(own);
  REQUIRE(own.value().size() == 3);
  const SocketAddress address = local_address(own.value()[0].get());
  for (const Fd& each : own.value()) {
    CHECK(local_address(each.get()) == address);
    CHECK(is_listening(each.get()));
  }
  const auto second = listen_together(address, 0, 2);
  REQUIRE_FALSE(second);
  CHECK(second.error().message.find(
            "Address already in use (another program or listener uses that port: "
            "ss -uanp") != std::string::npos);
  CHECK(listen_on(numeric(Scheme::tcp, "127.0.0.1", address.port()), 5));
}

TEST_CASE("sockets that are added take no part before they are bound") {
  std::vector<Fd> sockets;
  sockets.push_back(bound_at("127.0.0.1"));
  const SocketAddress address = local_address(sockets[0].get());
  REQUIRE(add_unbound(sockets, 2));
  CHECK_FALSE(is_listening(sockets[1].get()));
  const auto to_first = [&] {
    for (int i = 0; i < 20; ++i) send_to(bound_at("127.0.0.1"), address, "x");
    int count = 0;
    char byte;
    while (::recv(sockets[0].get(), &byte, 1, MSG_DONTWAIT) > 0) ++count;
    return count;
  };
  CHECK(to_first() == 20);
  REQUIRE(bind_added(sockets));
  CHECK(local_address(sockets[1].get()) == address);
  CHECK(to_first() < 20);
}

TEST_CASE("a group that cannot be joined is told with its interface and the remedy") {
  const Fd socket = bound_at("0.0.0.0");
  const auto unknown = join_groups(socket.get(), {{"239.1.2.3"}, "no-such"});
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().message ==
        "cannot join the group 239.1.2.3 on interface 'no-such': No such device (there is no such "
        "interface, or it has no address: ip address lists them)");
  CHECK(join_groups(socket.get(), {{"ff02::1"}, "no-such"}));  // not of its family
  CHECK(join_groups(socket.get(), {{"239.1.2.3"}, "lo"}));
  CHECK(join_groups(socket.get(), {{"239.1.2.3"}, "lo"}));  // as it is already
  leave_groups(socket.get(), {{"239.1.2.3"}, "lo"}, {});
  ip_mreqn one{};
  one.imr_multiaddr.s_addr = htonl(0xef010203);
  one.imr_ifindex = 1;
  CHECK(::setsockopt(socket.get(), IPPROTO_IP, IP_DROP_MEMBERSHIP, &one, sizeof one) != 0);
  CHECK_FALSE(try_to_join(AF_INET, {{"239.1.2.3"}, "no-such"}));
  CHECK(try_to_join(AF_INET6, {{"239.1.2.3"}, "no-such"}));
}

}  // namespace
}  // namespace berth
