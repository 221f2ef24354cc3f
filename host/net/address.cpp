#include "net/address.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <system_error>

#include "base/format.hpp"

namespace berth {

namespace {

constexpr std::size_t kUnixNameAt = offsetof(sockaddr_un, sun_path);

// What getaddrinfo says, as values; `error` is one of its EAI_ numbers.
struct Lookup {
  int error = 0;
  int errno_value = 0;
  std::vector<SocketAddress> addresses;
};

Lookup look_up(const Address& address, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = socket_type(address.scheme);
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* first = nullptr;
  Lookup found;
  found.error =
      getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &first);
  found.errno_value = errno;
  if (found.error != 0) return found;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(first, &freeaddrinfo);
  // /etc/hosts may give one address several times; a second listener on it could not be bound.
  for (const addrinfo* entry = first; entry != nullptr; entry = entry->ai_next) {
    const SocketAddress candidate(entry->ai_addr, entry->ai_addrlen, entry->ai_socktype);
    auto& all = found.addresses;
    if (std::find(all.begin(), all.end(), candidate) == all.end()) all.push_back(candidate);
  }
  return found;
}

// As chmod takes it: "0660".
std::string octal(mode_t mode) {
  std::string text = "0";
  for (const int shift : {6, 3, 0}) text += static_cast<char>('0' + ((mode >> shift) & 7));
  return text;
}

Error cannot_resolve(const std::string& host, const Lookup& lookup) {
  std::string words = lookup.error == EAI_SYSTEM
                          ? std::generic_category().message(lookup.errno_value)
                          : std::string(gai_strerror(lookup.error));
  if (lookup.error == EAI_NONAME) words += " (is the name spelt right?)";
  if (lookup.error == EAI_AGAIN)
    words += " (the name server does not answer; an IP address needs none)";
  return Error{"cannot resolve host '" + host + "': " + words};
}

}  // namespace

SocketAddress::SocketAddress(const sockaddr* address, socklen_t length, int type)
    : unix_{}, size_(std::min<socklen_t>(length, sizeof unix_)), type_(type) {
  std::memcpy(&unix_, address, size_);
}

SocketAddress SocketAddress::of_unix(std::string_view name, int type) {
  SocketAddress address;
  address.type_ = type;
  address.unix_ = {};
  address.unix_.sun_family = AF_UNIX;
  const std::size_t length = std::min(name.size(), kLongestUnixName);
  std::memcpy(address.unix_.sun_path, name.data(), length);
  // The length tells where an abstract name ends; a path ends with a zero.
  const bool is_abstract = name.starts_with('@');
  if (is_abstract) address.unix_.sun_path[0] = '\0';
  address.size_ = static_cast<socklen_t>(kUnixNameAt + length + (is_abstract ? 0 : 1));
  return address;
}

bool SocketAddress::is_unspecified() const {
  if (family() == AF_INET6) return IN6_IS_ADDR_UNSPECIFIED(&ipv6_.sin6_addr);
  return family() == AF_INET && ipv4_.sin_addr.s_addr == INADDR_ANY;
}

std::uint16_t SocketAddress::port() const {
  switch (family()) {
    case AF_INET:
      return ntohs(ipv4_.sin_port);
    case AF_INET6:
      return ntohs(ipv6_.sin6_port);
    default:
      return 0;
  }
}

std::string SocketAddress::path() const {
  if (!is_unix() || size_ <= kUnixNameAt || unix_.sun_path[0] == '\0') return "";
  return {unix_.sun_path, ::strnlen(unix_.sun_path, size_ - kUnixNameAt)};
}

std::string SocketAddress::text() const {
  if (family() == AF_INET) {
    // Two of a connection's lines in the log have it, and inet_ntop(3) goes through sprintf(3).
    const std::uint32_t host = ntohl(ipv4_.sin_addr.s_addr);
    return formatted("{}.{}.{}.{}:{}", host >> 24, host >> 16 & 255, host >> 8 & 255, host & 255,
                     port());
  }
  if (family() == AF_INET6) {
    std::array<char, INET6_ADDRSTRLEN> host{};
    inet_ntop(AF_INET6, &ipv6_.sin6_addr, host.data(), host.size());
    std::string zone;
    std::array<char, IF_NAMESIZE> interface_name{};
    if (ipv6_.sin6_scope_id != 0) {
      const char* name = if_indextoname(ipv6_.sin6_scope_id, interface_name.data());
      zone = "%" + (name != nullptr ? std::string(name) : std::to_string(ipv6_.sin6_scope_id));
    }
    return "[" + std::string(host.data()) + zone + "]:" + std::to_string(port());
  }
  if (!is_unix()) return "unknown";
  if (size_ <= kUnixNameAt) return "unnamed";
  if (unix_.sun_path[0] != '\0') return path();
  return "@" + std::string(unix_.sun_path + 1, size_ - kUnixNameAt - 1);
}

std::string SocketAddress::url() const {
  return std::string(name_of(plain_scheme(*this))) + "://" + text();
}

bool SocketAddress::operator==(const SocketAddress& other) const {
  if (family() != other.family() || port() != other.port() || type_ != other.type_) return false;
  if (family() == AF_INET) return ipv4_.sin_addr.s_addr == other.ipv4_.sin_addr.s_addr;
  if (family() == AF_INET6) {
    return std::memcmp(&ipv6_.sin6_addr, &other.ipv6_.sin6_addr, sizeof ipv6_.sin6_addr) == 0 &&
           ipv6_.sin6_scope_id == other.ipv6_.sin6_scope_id;
  }
  return !is_unix() || text() == other.text();
}

std::string_view name_of(Scheme scheme) {
  switch (scheme) {
    case Scheme::tcp:
      return "tcp";
    case Scheme::tls:
      return "tls";
    case Scheme::udp:
      return "udp";
    case Scheme::unix_socket:
      return "unix";
    case Scheme::unix_datagram:
      return "unixgram";
  }
  return "";
}

std::optional<Scheme> scheme_named(std::string_view name) {
  for (const Scheme scheme :
       {Scheme::tcp, Scheme::tls, Scheme::udp, Scheme::unix_socket, Scheme::unix_datagram}) {
    if (name == name_of(scheme)) return scheme;
  }
  return std::nullopt;
}

Scheme plain_scheme(const SocketAddress& address) {
  if (address.is_unix()) return address.is_datagram() ? Scheme::unix_datagram : Scheme::unix_socket;
  return address.is_datagram() ? Scheme::udp : Scheme::tcp;
}

Peer::Peer(const SocketAddress& address) : ipv6_{} {
  if (address.family() == AF_INET) std::memcpy(&ipv4_, address.get(), sizeof ipv4_);
  if (address.family() == AF_INET6) std::memcpy(&ipv6_, address.get(), sizeof ipv6_);
}

Peer::Peer(const ucred& credentials) : unix_{AF_UNIX, credentials} {}

SocketAddress Peer::address() const {
  switch (family()) {
    case AF_INET:
      return {&any_, sizeof ipv4_};
    case AF_INET6:
      return {&any_, sizeof ipv6_};
    default:
      return {};
  }
}

std::string Peer::text() const {
  if (family() != AF_UNIX) return address().text();
  const ucred& who = unix_.credentials;
  return "uid=" + std::to_string(who.uid) + ",gid=" + std::to_string(who.gid) +
         ",pid=" + std::to_string(who.pid);
}

bool Peer::operator==(const Peer& other) const {
  if (family() != other.family()) return false;
  if (family() != AF_UNIX) return address() == other.address();
  const ucred &one = unix_.credentials, &two = other.unix_.credentials;
  return one.pid == two.pid && one.uid == two.uid && one.gid == two.gid;
}

namespace {

// "" where all is as it is without a word.
std::string settings_of(const SocketFile& file) {
  std::string text;
  const auto add = [&](const char* key, const std::string& value) {
    text += std::string(text.empty() ? "?" : "&") + key + "=" + value;
  };
  if (file.mode != SocketFile{}.mode) add("mode", octal(file.mode));
  if (!file.user.empty()) add("user", file.user);
  if (!file.group.empty()) add("group", file.group);
  return text;
}

std::string settings_of(const Multicast& multicast) {
  std::string text;
  for (const std::string& group : multicast.groups) {
    text += (text.empty() ? "?group=" : "&group=") + group;
  }
  if (multicast.interface_name.empty()) return text;
  return text + (text.empty() ? "?" : "&") + "interface=" + multicast.interface_name;
}

}  // namespace

std::string Address::url() const {
  const std::string start = std::string(name_of(scheme)) + "://";
  if (is_unix(scheme)) return start + host + settings_of(file);
  const bool ipv6 = host.find(':') != std::string::npos;
  return start + (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port) +
         settings_of(multicast);
}

namespace {

Lookup look_up_in_full(const Address& address) {
  if (is_unix(address.scheme)) {
    return {0, 0, {SocketAddress::of_unix(address.host, socket_type(address.scheme))}};
  }
  // Asked for a number the resolver is not touched: no waiting for a name server, no NSS modules.
  Lookup lookup = look_up(address, AI_NUMERICHOST);
  if (lookup.error == EAI_NONAME) lookup = look_up(address, 0);
  // A bare system may lack /etc/hosts, yet everybody expects localhost to exist (RFC 6761).
  if (lookup.error != 0 && address.host == "localhost") {
    lookup = look_up({address.scheme, "127.0.0.1", address.port}, AI_NUMERICHOST);
  }
  return lookup;
}

int errno_of(const Lookup& lookup) {
  switch (lookup.error) {
    case 0:
      return 0;
    case EAI_AGAIN:
      return EAGAIN;
    case EAI_MEMORY:
      return ENOMEM;
    case EAI_SYSTEM:
      return lookup.errno_value;
    default:
      return EADDRNOTAVAIL;
  }
}

}  // namespace

Result<std::vector<SocketAddress>> resolve(const Address& address) {
  Lookup lookup = look_up_in_full(address);
  if (lookup.error != 0) return cannot_resolve(address.host, lookup);
  return std::move(lookup.addresses);
}

Resolved resolve_or_errno(const Address& address) {
  Lookup lookup = look_up_in_full(address);
  return {errno_of(lookup), std::move(lookup.addresses)};
}

bool needs_resolver(const Address& address) {
  return !is_unix(address.scheme) && look_up(address, AI_NUMERICHOST).error == EAI_NONAME;
}

}  // namespace berth
