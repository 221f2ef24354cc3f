#include "net/address.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

namespace berth {

namespace {

// What getaddrinfo says, as values; `error` is one of its EAI_ numbers.
struct Lookup {
  int error = 0;
  int errno_value = 0;
  std::vector<SocketAddress> addresses;
};

Lookup look_up(const Address& address, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
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
    const SocketAddress candidate(entry->ai_addr, entry->ai_addrlen);
    auto& all = found.addresses;
    if (std::find(all.begin(), all.end(), candidate) == all.end()) all.push_back(candidate);
  }
  return found;
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

SocketAddress::SocketAddress(const sockaddr* address, socklen_t length) : ipv6_{} {
  std::memcpy(&ipv6_, address, std::min<std::size_t>(length, sizeof ipv6_));
}

socklen_t SocketAddress::size() const {
  switch (family()) {
    case AF_INET:
      return sizeof ipv4_;
    case AF_INET6:
      return sizeof ipv6_;
    default:
      return sizeof any_;
  }
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

std::string SocketAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> host{};
  if (family() == AF_INET) {
    inet_ntop(AF_INET, &ipv4_.sin_addr, host.data(), host.size());
    return std::string(host.data()) + ":" + std::to_string(port());
  }
  if (family() == AF_INET6) {
    inet_ntop(AF_INET6, &ipv6_.sin6_addr, host.data(), host.size());
    std::string zone;
    std::array<char, IF_NAMESIZE> interface_name{};
    if (ipv6_.sin6_scope_id != 0) {
      const char* name = if_indextoname(ipv6_.sin6_scope_id, interface_name.data());
      zone = "%" + (name != nullptr ? std::string(name) : std::to_string(ipv6_.sin6_scope_id));
    }
    return "[" + std::string(host.data()) + zone + "]:" + std::to_string(port());
  }
  return "unknown";
}

bool SocketAddress::operator==(const SocketAddress& other) const {
  if (family() != other.family() || port() != other.port()) return false;
  if (family() == AF_INET) return ipv4_.sin_addr.s_addr == other.ipv4_.sin_addr.s_addr;
  if (family() == AF_INET6) {
    return std::memcmp(&ipv6_.sin6_addr, &other.ipv6_.sin6_addr, sizeof ipv6_.sin6_addr) == 0 &&
           ipv6_.sin6_scope_id == other.ipv6_.sin6_scope_id;
  }
  return true;
}

std::string Address::url() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return "tcp://" + (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<std::vector<SocketAddress>> resolve(const Address& address) {
  // Asked for a number the resolver is not touched: no waiting for a name server, no NSS modules.
  Lookup lookup = look_up(address, AI_NUMERICHOST);
  if (lookup.error == EAI_NONAME) lookup = look_up(address, 0);
  // A bare system may lack /etc/hosts, yet everybody expects localhost to exist (RFC 6761).
  if (lookup.error != 0 && address.host == "localhost") {
    lookup = look_up({address.scheme, "127.0.0.1", address.port}, AI_NUMERICHOST);
  }
  if (lookup.error != 0) return cannot_resolve(address.host, lookup);
  return std::move(lookup.addresses);
}

}  // namespace berth
