// A range of IP addresses in CIDR notation, `10.0.0.0/8` or `fd00::/8`. A plain value.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/address.hpp"

namespace berth {

// The leading bits of an address that a network or a source is known by, the others zero. IPv4 is
// held as IPv6 holds it (`::ffff:a.b.c.d`), with 96 added to the length of its prefix; as sockets
// for IPv6 take nothing else here, nobody comes under such an address by itself.
using AddressBits = std::array<std::uint8_t, 16>;
// Zeros where it is no IP address.
[[nodiscard]] AddressBits bits_of(const Peer& peer);
// `prefix` from 0 to 128.
[[nodiscard]] AddressBits leading_bits(AddressBits bits, unsigned prefix);

class Network {
 public:
  // The addresses whose first `prefix` bits, up to 32 or 128, are those of `address`. The rest of
  // it is not looked at, and no more is its port.
  Network(const Peer& address, unsigned prefix);

  // Never for what is no IP address.
  [[nodiscard]] bool contains(const Peer& address) const;
  // Whether it is the first address of the network, all bits behind the prefix zero.
  [[nodiscard]] bool begins_at(const Peer& address) const;
  // "10.0.0.0/8"
  [[nodiscard]] std::string text() const;

  bool operator==(const Network&) const = default;

 private:
  AddressBits bits_;
  std::uint8_t prefix_;  // of all 128 bits
};

// Takes `ADDRESS/PREFIX`, or an address alone for a network of that one. An address with bits
// behind its prefix is refused, for it may be meant either way. The error says what to write.
[[nodiscard]] Result<Network> parse_network(std::string_view text);

}  // namespace berth
