// Addresses as the config writes them (`tcp://HOST:PORT`) and as the kernel takes them.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace berth {

// An address of a socket, in the kernel's form; small, because every connection keeps two.
class SocketAddress {
 public:
  SocketAddress() = default;
  // Copies what the kernel wrote; `length` beyond what this class can hold is cut.
  SocketAddress(const sockaddr* address, socklen_t length);

  [[nodiscard]] const sockaddr* get() const { return &any_; }
  [[nodiscard]] socklen_t size() const;
  [[nodiscard]] int family() const { return any_.sa_family; }
  [[nodiscard]] std::uint16_t port() const;

  // "127.0.0.1:2934", "[::1]:2934"; "unknown" where there is no address.
  [[nodiscard]] std::string text() const;

  bool operator==(const SocketAddress& other) const;

 private:
  union {
    sockaddr any_ = {};
    sockaddr_in ipv4_;
    sockaddr_in6 ipv6_;
  };
};

enum class Scheme { tcp };

// An address as it was written, checked for form but not yet resolved.
struct Address {
  Scheme scheme = Scheme::tcp;
  std::string host;  // without brackets
  std::uint16_t port = 0;

  // Back to `tcp://HOST:PORT`, with brackets around IPv6.
  [[nodiscard]] std::string url() const;
  bool operator==(const Address&) const = default;
};

// Takes `tcp://HOST:PORT`, HOST an IPv4 address, an IPv6 address in brackets or a host name.
// The error says what part is wrong and what an address looks like.
[[nodiscard]] Result<Address> parse_address(std::string_view text);

// The socket addresses that `address` stands for; a name may stand for several. Blocks on the
// resolver for names only. The error names the host and the resolver's words.
[[nodiscard]] Result<std::vector<SocketAddress>> resolve(const Address& address);

}  // namespace berth
