#include "net/network.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace berth {

namespace {

constexpr unsigned kAllBits = 128;
constexpr unsigned kMappedBits = 96;  // what stands before an IPv4 address

AddressBits mapped(const in_addr& ipv4) {
  AddressBits bits{};
  bits[10] = bits[11] = 0xff;
  std::memcpy(bits.data() + 12, &ipv4, sizeof ipv4);
  return bits;
}

bool is_mapped(const AddressBits& bits) {
  const AddressBits ipv4 = mapped({});
  return std::equal(ipv4.begin(), ipv4.begin() + 12, bits.begin());
}

SocketAddress address_of(const std::string& text) {
  sockaddr_in ipv4{};
  ipv4.sin_family = AF_INET;
  if (::inet_pton(AF_INET, text.c_str(), &ipv4.sin_addr) == 1) {
    return {reinterpret_cast<const sockaddr*>(&ipv4), sizeof ipv4};
  }
  sockaddr_in6 ipv6{};
  ipv6.sin6_family = AF_INET6;
  if (::inet_pton(AF_INET6, text.c_str(), &ipv6.sin6_addr) == 1) {
    return {reinterpret_cast<const sockaddr*>(&ipv6), sizeof ipv6};
  }
  return {};
}

Error wrong(std::string_view text, const std::string& what) {
  return Error{"network '" + std::string(text) + "' " + what};
}

// A prefix in decimal digits, as nobody could read it another way.
std::optional<unsigned> parse_prefix(std::string_view digits, unsigned most) {
  unsigned prefix = 0;
  const char* const end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, prefix);
  const bool padded = digits.size() > 1 && digits[0] == '0';
  if (error != std::errc{} || rest != end || padded || prefix > most) return std::nullopt;
  return prefix;
}

}  // namespace

AddressBits bits_of(const Peer& peer) {
  const SocketAddress address = peer.address();
  if (address.family() == AF_INET) {
    sockaddr_in ipv4;
    std::memcpy(&ipv4, address.get(), sizeof ipv4);
    return mapped(ipv4.sin_addr);
  }
  AddressBits bits{};
  if (address.family() == AF_INET6) {
    sockaddr_in6 ipv6;
    std::memcpy(&ipv6, address.get(), sizeof ipv6);
    std::memcpy(bits.data(), &ipv6.sin6_addr, bits.size());
  }
  return bits;
}

AddressBits leading_bits(AddressBits bits, unsigned prefix) {
  for (unsigned i = 0; i < bits.size(); ++i) {
    const unsigned kept = std::clamp(prefix, 8 * i, 8 * i + 8) - 8 * i;
    bits[i] &= static_cast<std::uint8_t>(0xff00 >> kept);
  }
  return bits;
}

Network::Network(const Peer& address, unsigned prefix)
    : prefix_(static_cast<std::uint8_t>(prefix + (address.family() == AF_INET ? kMappedBits : 0))) {
  bits_ = leading_bits(bits_of(address), prefix_);
}

bool Network::contains(const Peer& address) const {
  // As numbers IPv4 addresses lie within ::/0; nobody who writes that means them.
  const bool is_ipv4 = address.family() == AF_INET;
  if (!is_ipv4 && address.family() != AF_INET6) return false;
  const bool for_ipv4 = prefix_ >= kMappedBits && is_mapped(bits_);
  return is_ipv4 == for_ipv4 && leading_bits(bits_of(address), prefix_) == bits_;
}

bool Network::begins_at(const Peer& address) const { return bits_of(address) == bits_; }

std::string Network::text() const {
  const bool is_ipv4 = prefix_ >= kMappedBits && is_mapped(bits_);
  char host[INET6_ADDRSTRLEN] = {};
  (void)::inet_ntop(is_ipv4 ? AF_INET : AF_INET6, bits_.data() + (is_ipv4 ? 12 : 0), host,
                    sizeof host);
  return std::string(host) + "/" + std::to_string(is_ipv4 ? prefix_ - kMappedBits : prefix_);
}

Result<Network> parse_network(std::string_view text) {
  const auto slash = text.find('/');
  const std::string host(text.substr(0, slash));
  const SocketAddress address = address_of(host);
  if (address.family() == AF_UNSPEC) {
    return wrong(text, "does not begin with an IP address: write one like 10.0.0.0/8 or fd00::/8");
  }
  if (address.family() == AF_INET6 && is_mapped(bits_of(address))) {
    return wrong(text, "is IPv4 in IPv6's clothes: write it as IPv4, like 10.0.0.0/8");
  }
  const unsigned most = address.family() == AF_INET ? kAllBits - kMappedBits : kAllBits;
  if (slash == std::string_view::npos) return Network(address, most);
  const auto prefix = parse_prefix(text.substr(slash + 1), most);
  if (!prefix) {
    return wrong(text, "has '" + std::string(text.substr(slash + 1)) +
                           "' for the length of its prefix: write a number from 0 to " +
                           std::to_string(most));
  }
  const Network network(address, *prefix);
  if (!network.begins_at(address)) {
    return wrong(text, "has bits behind its prefix: write " + network.text() + ", or " + host +
                           " for that address alone");
  }
  return network;
}

}  // namespace berth
