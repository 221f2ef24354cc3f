#include "net/datagram.hpp"

#include <linux/sock_diag.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace berth {

namespace {

// In bytes of the kernel's memory, of which a small datagram takes some 800. Used only as far as
// datagrams wait; as much as net.core.rmem_max allows where the host is not root.
constexpr int kQueueSize = 4 << 20;

bool set_option(int socket, int level, int option, int value = 1) {
  return ::setsockopt(socket, level, option, &value, sizeof value) == 0;
}

// Never less than there is: a service manager may have been told to make more.
void make_room(int socket, int forced, int option) {
  int size = 0;  // which the kernel tells doubled (man 7 socket)
  socklen_t length = sizeof size;
  if (::getsockopt(socket, SOL_SOCKET, option, &size, &length) == 0 && size / 2 >= kQueueSize) {
    return;
  }
  if (!set_option(socket, SOL_SOCKET, forced, kQueueSize)) {
    (void)set_option(socket, SOL_SOCKET, option, kQueueSize);
  }
}

// An address of the same kind as `local`, with its port.
SocketAddress at(const SocketAddress& local, const in_addr& host) {
  sockaddr_in address{};
  std::memcpy(&address, local.get(), sizeof address);
  address.sin_addr = host;
  return {reinterpret_cast<const sockaddr*>(&address), sizeof address, local.type()};
}

// The interface matters to link-local addresses alone.
SocketAddress at(const SocketAddress& local, const in6_pktinfo& info) {
  sockaddr_in6 address{};
  std::memcpy(&address, local.get(), sizeof address);
  address.sin6_addr = info.ipi6_addr;
  const bool is_local =
      IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&info.ipi6_addr);
  address.sin6_scope_id = is_local ? info.ipi6_ifindex : 0;
  return {reinterpret_cast<const sockaddr*>(&address), sizeof address, local.type()};
}

template <class Content>
Content content_of(const cmsghdr& head) {
  Content content{};
  std::memcpy(&content, CMSG_DATA(&head), sizeof content);
  return content;
}

template <class Content>
void put(msghdr& message, int level, int type, const Content& content) {
  message.msg_controllen = CMSG_SPACE(sizeof content);
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = level;
  head->cmsg_type = type;
  head->cmsg_len = CMSG_LEN(sizeof content);
  std::memcpy(CMSG_DATA(head), &content, sizeof content);
}

void read_control(const cmsghdr& head, const SocketAddress& local, Envelope& envelope) {
  if (head.cmsg_level == IPPROTO_IP && head.cmsg_type == IP_PKTINFO) {
    const auto info = content_of<in_pktinfo>(head);
    envelope.to = at(local, info.ipi_addr);
    envelope.answer_from = at(local, info.ipi_spec_dst);  // of a group: the address beside it
    envelope.is_broadcast = info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr &&
                            !IN_MULTICAST(ntohl(info.ipi_addr.s_addr));
  }
  if (head.cmsg_level == IPPROTO_IPV6 && head.cmsg_type == IPV6_PKTINFO) {
    const auto info = content_of<in6_pktinfo>(head);
    envelope.to = at(local, info);
    if (!IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) envelope.answer_from = envelope.to;
  }
  if (head.cmsg_level == SOL_SOCKET && head.cmsg_type == SCM_CREDENTIALS) {
    envelope.peer = Peer(content_of<ucred>(head));
  }
}

}  // namespace

bool set_up_datagrams(int socket, Reach reach) {
  int family = AF_UNSPEC;
  socklen_t length = sizeof family;
  if (::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0) return false;
  make_room(socket, SO_RCVBUFFORCE, SO_RCVBUF);
  make_room(socket, SO_SNDBUFFORCE, SO_SNDBUF);
  if (reach == Reach::one_address) return true;
  switch (family) {
    case AF_UNIX:
      return set_option(socket, SOL_SOCKET, SO_PASSCRED);
    case AF_INET6:
      // Other programs' groups are theirs, as IP_MULTICAST_ALL says below.
      (void)set_option(socket, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
      return set_option(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO);
    default:
      return set_option(socket, IPPROTO_IP, IP_PKTINFO) &&
             set_option(socket, IPPROTO_IP, IP_MULTICAST_ALL, 0);
  }
}

std::uint32_t dropped_datagrams(int socket) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
  socklen_t length = sizeof info;
  if (::getsockopt(socket, SOL_SOCKET, SO_MEMINFO, info.data(), &length) != 0) return 0;
  return info[SK_MEMINFO_DROPS];
}

void DatagramControl::attach_to(msghdr& message, bool is_unix) {
  message.msg_control = bytes_.data();
  message.msg_controllen = is_unix ? CMSG_SPACE(sizeof(ucred)) : bytes_.size();
}

void DatagramControl::say_source(msghdr& message, const SocketAddress& answer_from) {
  message.msg_control = bytes_.data();
  bytes_.fill('\0');
  if (answer_from.family() == AF_INET) {
    sockaddr_in address{};
    std::memcpy(&address, answer_from.get(), sizeof address);
    in_pktinfo info{};
    info.ipi_spec_dst = address.sin_addr;
    return put(message, IPPROTO_IP, IP_PKTINFO, info);
  }
  if (answer_from.family() == AF_INET6) {
    sockaddr_in6 address{};
    std::memcpy(&address, answer_from.get(), sizeof address);
    return put(message, IPPROTO_IPV6, IPV6_PKTINFO,
               in6_pktinfo{address.sin6_addr, address.sin6_scope_id});
  }
  message.msg_control = nullptr;
  message.msg_controllen = 0;
}

Envelope envelope_of(const msghdr& message, const SocketAddress& local) {
  Envelope envelope;
  envelope.from = {static_cast<const sockaddr*>(message.msg_name), message.msg_namelen,
                   local.type()};
  envelope.to = local;
  envelope.peer = envelope.from;
  auto& with_control = const_cast<msghdr&>(message);  // CMSG_NXTHDR changes nothing in it
  for (const cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&with_control, const_cast<cmsghdr*>(head))) {
    read_control(*head, local, envelope);
  }
  return envelope;
}

// sendto(2) takes the same where there is one piece and nothing beside it, and the kernel has less
// to read for it.
ssize_t send_datagram(int socket, const msghdr& message) {
  constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
  const bool is_plain = message.msg_iovlen == 1 && message.msg_controllen == 0;
  ssize_t sent;
  do {
    sent = is_plain ? ::sendto(socket, message.msg_iov->iov_base, message.msg_iov->iov_len, kFlags,
                               static_cast<const sockaddr*>(message.msg_name), message.msg_namelen)
                    : ::sendmsg(socket, &message, kFlags);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

}  // namespace berth
