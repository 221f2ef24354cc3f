// The header that a proxy sends ahead of what a client sends, to say who the client is: the PROXY
// protocol, versions 1 (a line) and 2 (a block of bytes), as HAProxy's proxy-protocol.txt has them.
// A parser on values, which takes the bytes as they come and none that lies behind the header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/address.hpp"

namespace berth {

// What a header says of the connection that the proxy took. Both are IP addresses, those of IPv4 as
// IPv4 however they were written; or both {}, where the connection is the proxy's own or one of
// which it can tell no IP address, and what the kernel knows of it holds.
struct ProxyHeader {
  SocketAddress source, destination;

  [[nodiscard]] bool names_client() const { return source.family() != AF_UNSPEC; }
};

class ProxyHeaderParser {
 public:
  // What follows the 16 bytes that a block of version 2 begins with may be no longer than this. The
  // addresses take at most 216; the rest is for certificates' names and the like.
  static constexpr std::size_t kLongestRest = 4096;
  static constexpr std::size_t kLongest = 16 + kLongestRest;

  enum class State : std::uint8_t { incomplete, whole, malformed };

  // Takes what comes next, as far as it belongs to the header: the count of those bytes. All of
  // them do while the header is incomplete after it. Throws std::bad_alloc.
  std::size_t take(std::string_view bytes);

  [[nodiscard]] State state() const { return state_; }
  // How many bytes it has taken.
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  // Of a whole header.
  [[nodiscard]] const ProxyHeader& header() const { return header_; }
  // What is wrong with a malformed one.
  [[nodiscard]] std::string_view objection() const { return objection_; }

 private:
  // Each looks at what has come so far, and says what the state is now.
  State examine();
  State examine_line();
  State examine_block();
  State read_line(std::string_view line);
  State read_block();
  State check_extras(std::size_t place);
  State malformed(const char* objection);

  [[nodiscard]] bool begins_like(std::string_view signature) const;
  [[nodiscard]] std::uint8_t byte_at(std::size_t place) const {
    return static_cast<std::uint8_t>(bytes_[place]);
  }
  [[nodiscard]] std::size_t number_at(std::size_t place) const {
    return std::size_t{byte_at(place)} << 8 | byte_at(place + 1);
  }
  // An IPv4 address, or where `size` says so an IPv6 address, with the port that lies there.
  [[nodiscard]] SocketAddress address_at(std::size_t place, std::size_t size,
                                         std::size_t port) const;

  State state_ = State::incomplete;
  std::string bytes_;
  ProxyHeader header_;
  const char* objection_ = "";
};

}  // namespace berth
