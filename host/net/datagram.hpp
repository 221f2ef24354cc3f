// Datagrams as the kernel hands them over and takes them: where one came from, where it was sent
// to, and how an answer goes out from that very address.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "net/address.hpp"

namespace berth {

// The longest that IPv4 can carry (man 7 udp), and what is taken for the longest everywhere, so
// that a handler need not know what carries its datagrams.
inline constexpr std::size_t kLongestDatagram = 65'507;

// What a socket is bound to.
enum class Reach { all_addresses, one_address };

// Asks for all that an Envelope needs, and for room for many. Before the first one can come. Where
// a socket is bound to one address of the machine's that is where everything is sent to and
// answered from, and the kernel need not say so each time. False with errno set.
[[nodiscard]] bool set_up_datagrams(int socket, Reach reach = Reach::all_addresses);

// How many datagrams the kernel has dropped since the socket was made, for want of room in its
// queue.
[[nodiscard]] std::uint32_t dropped_datagrams(int socket);

// What stands on a datagram. Plain bytes: it may be passed to another process.
struct Envelope {
  SocketAddress from;         // not named where it cannot be answered
  SocketAddress to;           // what it was sent to: an address of this machine's, or a group
  SocketAddress answer_from;  // AF_UNSPEC where the kernel may choose
  Peer peer;
  bool is_broadcast = false;  // it was sent to all of a network (IPv4): each socket has a copy

  [[nodiscard]] bool can_be_answered() const { return from.is_named(); }
};

// Room for the control messages of one datagram that comes or goes. Of a Unix socket that is no
// more than for credentials: descriptors that somebody sends along are not taken.
class DatagramControl {
 public:
  // Of a message that is to be received.
  void attach_to(msghdr& message, bool is_unix);
  // Of one that is to be sent: it is to leave from there.
  void say_source(msghdr& message, const SocketAddress& answer_from);

 private:
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> bytes_;
};

// Of a message that was received on a socket which is bound to `local`, with its name and its
// control messages.
[[nodiscard]] Envelope envelope_of(const msghdr& message, const SocketAddress& local);

// Sends it, unless it would have to wait: how many bytes, or -errno.
[[nodiscard]] ssize_t send_datagram(int socket, const msghdr& message);

}  // namespace berth
