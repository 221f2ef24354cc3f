// Addresses as the config writes them (`tcp://HOST:PORT`, `unix:///PATH`) and as the kernel takes
// them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace berth {

// Where a socket is: an IP address and a port, or the name of a Unix socket, in the kernel's form.
class SocketAddress {
 public:
  SocketAddress() = default;
  // Copies what the kernel wrote; `length` beyond what this class can hold is cut. `type` is that
  // of the socket, SOCK_STREAM or SOCK_DGRAM: the two share no ports and no queues.
  SocketAddress(const sockaddr* address, socklen_t length, int type = SOCK_STREAM);
  // That of a Unix socket: a path, or `@NAME` for one in the abstract namespace (man 7 unix). At
  // most kLongestUnixName bytes.
  [[nodiscard]] static SocketAddress of_unix(std::string_view name, int type = SOCK_STREAM);

  [[nodiscard]] const sockaddr* get() const { return &any_; }
  [[nodiscard]] socklen_t size() const { return size_; }
  [[nodiscard]] int family() const { return any_.sa_family; }
  [[nodiscard]] bool is_unix() const { return family() == AF_UNIX; }
  // Whether it is more than the family of a Unix socket that nothing was bound to.
  [[nodiscard]] bool is_named() const { return size_ > sizeof(sa_family_t); }
  // Of IP: whether it stands for all that the machine has.
  [[nodiscard]] bool is_unspecified() const;
  [[nodiscard]] int type() const { return type_; }
  [[nodiscard]] bool is_datagram() const { return type_ == SOCK_DGRAM; }
  [[nodiscard]] std::uint16_t port() const;  // 0 where there is none

  // "127.0.0.1:2934", "[::1]:2934", "/run/echo.sock", "@echo"; "unknown" where there is no address,
  // "unnamed" for a Unix socket that is not bound.
  [[nodiscard]] std::string text() const;
  // "tcp://127.0.0.1:2934", "udp://[::1]:53", "unix:///run/echo.sock", "unixgram://@echo".
  [[nodiscard]] std::string url() const;
  // The path of a Unix socket in the file system; "" for every other.
  [[nodiscard]] std::string path() const;

  bool operator==(const SocketAddress& other) const;

 private:
  union {
    sockaddr any_ = {};
    sockaddr_in ipv4_;
    sockaddr_in6 ipv6_;
    sockaddr_un unix_;
  };
  socklen_t size_ = sizeof(sockaddr);
  int type_ = SOCK_STREAM;
};

// sun_path with the zero that ends it; an abstract name has its zero in front.
inline constexpr std::size_t kLongestUnixName = sizeof(sockaddr_un::sun_path) - 1;

// Who is at the other end of a connection: an IP address and a port, or the credentials of the
// process that connected to a Unix socket. Small, because every connection keeps one.
class Peer {
 public:
  Peer() = default;
  // An IP address. Of a Unix socket it says nothing: those who connect seldom have a name.
  Peer(const SocketAddress& address);  // NOLINT(google-explicit-constructor): it is one
  explicit Peer(const ucred& credentials);

  // AF_UNSPEC where nothing is known.
  [[nodiscard]] int family() const { return any_.sa_family; }
  // As SocketAddress::text(); "uid=1000,gid=1000,pid=4711" for who connected to a Unix socket.
  [[nodiscard]] std::string text() const;
  // Of an IP address, else {}.
  [[nodiscard]] SocketAddress address() const;

  bool operator==(const Peer& other) const;

 private:
  struct UnixPeer {
    sa_family_t family;
    ucred credentials;
  };
  union {
    sockaddr any_ = {};
    sockaddr_in ipv4_;
    sockaddr_in6 ipv6_;
    UnixPeer unix_;
  };
};

enum class Scheme : std::uint8_t { tcp, tls, udp, unix_socket, unix_datagram };

// "tcp", "unixgram": what stands before "://".
[[nodiscard]] std::string_view name_of(Scheme scheme);
// Back from that; nothing where there is none of that name.
[[nodiscard]] std::optional<Scheme> scheme_named(std::string_view name);
// That of a socket there with which nothing more is done than to move bytes.
[[nodiscard]] Scheme plain_scheme(const SocketAddress& address);
[[nodiscard]] inline bool is_unix(Scheme scheme) {
  return scheme == Scheme::unix_socket || scheme == Scheme::unix_datagram;
}
// SOCK_STREAM or SOCK_DGRAM.
[[nodiscard]] inline int socket_type(Scheme scheme) {
  return scheme == Scheme::udp || scheme == Scheme::unix_datagram ? SOCK_DGRAM : SOCK_STREAM;
}
[[nodiscard]] inline bool is_datagram(Scheme scheme) { return socket_type(scheme) == SOCK_DGRAM; }

// The file of a Unix socket: who may connect is who may write to it (man 7 unix).
struct SocketFile {
  mode_t mode = 0660;
  std::string user{}, group{};  // as written, names or numbers; empty: the host's own
  // What these come to, as far as it has been found out.
  std::optional<uid_t> uid{};
  std::optional<gid_t> gid{};
  bool operator==(const SocketFile&) const = default;
};

// The multicast groups that a socket of UDP joins.
struct Multicast {
  std::vector<std::string> groups{};  // IP addresses
  // Where they are joined: its name, or an IPv4 address that it has; empty: where the routes say.
  std::string interface_name{};
  bool operator==(const Multicast&) const = default;
};

// An address as it was written, checked for form but not yet resolved.
struct Address {
  Scheme scheme = Scheme::tcp;
  std::string host;  // without brackets; of a Unix socket: its path, or '@' and its abstract name
  std::uint16_t port = 0;
  SocketFile file{};      // of a Unix socket with a path
  Multicast multicast{};  // over UDP

  // Back to `tcp://HOST:PORT`, with brackets around IPv6, or to `unix://NAME?mode=…`,
  // `udp://HOST:PORT?group=…`.
  [[nodiscard]] std::string url() const;
  bool operator==(const Address&) const = default;
};

// Takes `tcp://HOST:PORT`, HOST an IPv4 address, an IPv6 address in brackets or a host name, and in
// the same way `tls://` and `udp://`; `unix:///PATH` and `unixgram:///PATH` with
// `?mode=0660&user=NAME&group=NAME` as far as wanted; and `unix://@NAME`. Behind `udp://HOST:PORT`
// may stand `?group=ADDRESS&interface=NAME`, with further groups. The error says what part is wrong
// and what an address looks like.
[[nodiscard]] Result<Address> parse_address(std::string_view text);

// The socket addresses that `address` stands for; a name may stand for several. Blocks on the
// resolver for names only. The error names the host and the resolver's words.
[[nodiscard]] Result<std::vector<SocketAddress>> resolve(const Address& address);

// The same for who has to do with errno values: EADDRNOTAVAIL where there is no host of that name,
// EAGAIN where the name server does not answer.
struct Resolved {
  int error = 0;
  std::vector<SocketAddress> addresses{};
};
[[nodiscard]] Resolved resolve_or_errno(const Address& address);
// Whether it is a name that only the resolver knows, so that these two may block.
[[nodiscard]] bool needs_resolver(const Address& address);

}  // namespace berth
