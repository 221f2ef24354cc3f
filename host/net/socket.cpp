#include "net/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <string>

#include "net/datagram.hpp"
#include "net/socket_error.hpp"

namespace berth {

namespace {

// What a person can do about a socket that could not be made, bound or listened on; "" where only
// the system's words are known.
std::string remedy(const SocketAddress& address, int errno_value) {
  if (address.is_unix()) return "";
  const std::string port = std::to_string(address.port());
  const char* const kind = address.is_datagram() ? "u" : "t";
  switch (errno_value) {
    case EACCES:
      return address.port() < 1024 ? " (ports under 1024 need root or CAP_NET_BIND_SERVICE)"
                                   : " (a security policy of this machine forbids it)";
    case EADDRINUSE:
      // Or it is the near end of somebody's connection: the range of those ports holds 50007 too.
      return " (another program or listener uses that port: ss -" + std::string(kind) +
             "anp 'sport = :" + port + "' names it)";
    case EADDRNOTAVAIL:
      return " (this machine has no such address: ip address lists those it has)";
    case EAFNOSUPPORT:
      return address.family() == AF_INET6 ? " (this machine has no IPv6: use an IPv4 address)" : "";
    case EMFILE:
      return " (too many descriptors in this process: raise ulimit -n)";
    default:
      return "";
  }
}

Error failed(const char* what, const SocketAddress& address, int errno_value) {
  return cannot(what, address, errno_value, remedy(address, errno_value));
}

bool set_option(const Fd& socket, int level, int option) {
  const int on = 1;
  return setsockopt(socket.get(), level, option, &on, sizeof on) == 0;
}

// What of its address a socket takes: all, or a part beside others of the same user.
enum class Take { alone, together };

// SO_REUSEADDR: connections of a former run that linger in TIME_WAIT must not keep this one out.
// To UDP it would say that two programs may share a port, where the last one gets all.
bool set_up(const Fd& socket, const SocketAddress& address) {
  if (address.is_datagram()) {
    return set_up_datagrams(socket.get(),
                            address.is_unspecified() ? Reach::all_addresses : Reach::one_address);
  }
  return set_option(socket, SOL_SOCKET, SO_REUSEADDR) &&
         set_option(socket, IPPROTO_TCP, TCP_NODELAY);
}

Result<Fd> make_socket(const SocketAddress& address, Take how) {
  Fd socket(::socket(address.family(), address.type() | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return failed("make a socket for", address, errno);
  if (!set_up(socket, address) ||
      (address.family() == AF_INET6 && !set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY)) ||
      (how == Take::together && !set_option(socket, SOL_SOCKET, SO_REUSEPORT))) {
    return failed("set up a socket for", address, errno);
  }
  return socket;
}

Result<void> bind_to(const SocketAddress& address, const Fd& socket) {
  if (bind(socket.get(), address.get(), address.size()) == 0) return {};
  return failed("bind", address, errno);
}

Result<Fd> bind_to(const SocketAddress& address, Take how) {
  auto socket = make_socket(address, how);
  if (!socket) return socket;
  if (auto bound = bind_to(address, *socket); !bound) return bound.error();
  return socket;
}

Result<Fd> listen_on(const SocketAddress& address, int backlog, Take how) {
  auto bound = bind_to(address, how);
  if (!bound) return bound;
  // With SO_REUSEADDR two sockets can be bound to one address; it is listen that tells the second.
  if (auto listens = start_listening(*bound, address, backlog); !listens) return listens.error();
  return bound;
}

// The sockets that share the address of the first, and it.
Result<std::vector<Fd>> add_beside(Fd first, int backlog, unsigned count) {
  std::vector<Fd> sockets;
  sockets.push_back(std::move(first));
  if (auto bound = bind_beside(sockets, count); !bound) return bound.error();
  for (std::size_t i = 1; i < sockets.size(); ++i) {
    const SocketAddress address = local_address(sockets[i].get());
    if (auto listens = start_listening(sockets[i], address, backlog); !listens)
      return listens.error();
  }
  return sockets;
}

void set_timeout(int socket, int option, Duration limit) {
  timeval timeout{};  // 0: none
  if (limit != kUnlimited) {
    const auto whole = std::chrono::ceil<std::chrono::microseconds>(limit).count();
    timeout = {static_cast<time_t>(whole / 1'000'000), static_cast<suseconds_t>(whole % 1'000'000)};
  }
  (void)setsockopt(socket, SOL_SOCKET, option, &timeout, sizeof timeout);
}

}  // namespace

Result<void> start_listening(const Fd& socket, const SocketAddress& address, int backlog) {
  if (address.is_datagram() || ::listen(socket.get(), backlog) == 0) return {};
  return failed("listen on", address, errno);
}

Result<Fd> listen_on(const SocketAddress& address, int backlog) {
  return listen_on(address, backlog, Take::alone);
}

Result<std::vector<Fd>> listen_together(const SocketAddress& address, int backlog, unsigned count) {
  // With SO_REUSEPORT from the start, two hosts of one user would share an address and not know.
  // So the first socket takes it alone, which fails wherever anybody listens, and lets others join
  // it only when it listens itself: from then on the same attempt of another host fails.
  auto first = listen_on(address, backlog, Take::alone);
  if (!first) return first.error();
  return add_beside(std::move(*first), backlog, count);
}

Result<std::vector<Fd>> listen_beside(Fd bound, int backlog, unsigned count) {
  const SocketAddress address = local_address(bound.get());
  if (address.is_datagram() && !set_up_datagrams(bound.get())) {
    return failed("set up the socket for", address, errno);
  }
  // Whoever made it chose another backlog, or it was shut down by a listener that failed.
  if (auto listens = start_listening(bound, address, backlog); !listens) return listens.error();
  auto sockets = add_beside(std::move(bound), backlog, count);
  if (sockets) return sockets;
  return Error{sockets.error().message +
               "; several workers need further sockets beside one that was handed over, which only "
               "the user who made that one can bind: say workers: 1, or run the host as that user"};
}

Result<void> bind_beside(std::vector<Fd>& sockets, unsigned count) {
  if (sockets.size() >= count) return {};
  if (local_address(sockets[0].get()).is_unix()) return {};
  const SocketAddress address = local_address(sockets[0].get());
  if (!set_option(sockets[0], SOL_SOCKET, SO_REUSEPORT)) return failed("share", address, errno);
  while (sockets.size() < count) {
    auto next = bind_to(address, Take::together);
    if (!next) return next.error();
    sockets.push_back(std::move(*next));
  }
  return {};
}

Result<void> add_unbound(std::vector<Fd>& sockets, unsigned count) {
  const SocketAddress address = local_address(sockets[0].get());
  if (sockets.size() >= count || address.is_unix()) return {};
  if (!set_option(sockets[0], SOL_SOCKET, SO_REUSEPORT)) return failed("share", address, errno);
  while (sockets.size() < count) {
    auto next = make_socket(address, Take::together);
    if (!next) return next.error();
    sockets.push_back(std::move(*next));
  }
  return {};
}

Result<void> bind_added(const std::vector<Fd>& sockets) {
  const SocketAddress address = local_address(sockets[0].get());
  for (const Fd& socket : sockets) {
    if (is_listening(socket.get())) continue;
    if (auto bound = bind_to(address, socket); !bound) return bound;
  }
  return {};
}

bool is_listening(int socket) {
  const SocketAddress address = local_address(socket);
  if (address.is_datagram()) return address.is_unix() ? address.is_named() : address.port() != 0;
  int listens = 0;
  socklen_t length = sizeof listens;
  return getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens != 0;
}

ConnectingSocket start_to_connect(const SocketAddress& address) {
  Fd socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return {{}, errno};
  const int on = 1;
  if (!address.is_unix()) {
    (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (::connect(socket.get(), address.get(), address.size()) == 0) return {std::move(socket), 0};
  if (errno != EINPROGRESS) return {{}, errno};
  return {std::move(socket), EINPROGRESS};
}

Peer peer_of(int connection, const SocketAddress& address) {
  if (!address.is_unix()) return address;
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return {};
  return Peer(credentials);
}

SocketAddress local_address(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (getsockname(socket, any, &length) != 0) return {};
  int type = SOCK_STREAM;
  socklen_t type_length = sizeof type;
  (void)getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &type_length);
  return {any, length, type};
}

void set_receive_timeout(int socket, Duration limit) { set_timeout(socket, SO_RCVTIMEO, limit); }
void set_send_timeout(int socket, Duration limit) { set_timeout(socket, SO_SNDTIMEO, limit); }

std::optional<unsigned> queue_length(int socket) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return std::nullopt;
  if (info.tcpi_state != TCP_LISTEN) return std::nullopt;
  return info.tcpi_unacked;  // of a socket that listens: its queue (tcp_get_info in net/ipv4/tcp.c)
}

bool connection_waits(int socket) {
  pollfd asked{socket, POLLIN, 0};
  return ::poll(&asked, 1, 0) != 0;
}

int longest_backlog() {
  int longest = 0;
  std::ifstream("/proc/sys/net/core/somaxconn") >> longest;
  // Without /proc: the kernel's own default since Linux 5.4.
  return longest > 0 ? longest : 4096;
}

}  // namespace berth
