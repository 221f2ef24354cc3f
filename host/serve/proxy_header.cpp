#include "serve/proxy_header.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

namespace berth {

namespace {

constexpr std::string_view kLineStart = "PROXY ";
constexpr std::size_t kLongestLine = 107;  // with the two bytes that end it

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kBlockStart = 16;  // up to where the addresses begin

// The 13th byte of a block, and the halves of the 14th.
constexpr unsigned kLocal = 0x20, kProxy = 0x21;
constexpr unsigned kUnspecified = 0, kIpv4 = 1, kIpv6 = 2, kUnix = 3;
constexpr unsigned kDatagram = 2;

// Of what may follow the addresses: a type, two bytes of length, a value.
constexpr std::size_t kExtraStart = 3;
constexpr unsigned kChecksum = 0x03;
constexpr std::size_t kChecksumSize = 4;

SocketAddress with_port(const in_addr& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr = host;
  address.sin_port = htons(port);
  return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

// An IPv4 address in IPv6's clothes, as a proxy writes it where the other end has IPv6, is taken
// for what it is: or those who are denied could come under that name.
SocketAddress with_port(const in6_addr& host, std::uint16_t port) {
  if (IN6_IS_ADDR_V4MAPPED(&host)) {
    in_addr ipv4;
    std::memcpy(&ipv4, host.s6_addr + 12, sizeof ipv4);
    return with_port(ipv4, port);
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = host;
  address.sin6_port = htons(port);
  return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

// Decimal digits, as nobody could read them another way.
std::optional<std::uint16_t> parse_port(std::string_view digits) {
  std::uint16_t port = 0;
  const char* const end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, port);
  const bool padded = digits.size() > 1 && digits[0] == '0';
  if (error != std::errc{} || rest != end || padded) return std::nullopt;
  return port;
}

template <class Host>
SocketAddress parse_address(int family, std::string_view host, std::string_view port) {
  Host parsed;
  const auto number = parse_port(port);
  if (!number || host.find('\0') != std::string_view::npos) return {};
  if (::inet_pton(family, std::string(host).c_str(), &parsed) != 1) return {};
  return with_port(parsed, *number);
}

// CRC32c (RFC 4960, appendix B), a byte at a time.
std::uint32_t checksum_of(std::string_view bytes) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      std::uint32_t rest = i;
      for (int bit = 0; bit < 8; ++bit) rest = rest >> 1 ^ ((rest & 1) != 0 ? 0x82f63b78 : 0);
      table[i] = rest;
    }
    return table;
  }();
  std::uint32_t sum = 0xffffffff;
  for (const char byte : bytes) {
    sum = sum >> 8 ^ kTable[(sum ^ static_cast<std::uint8_t>(byte)) & 0xff];
  }
  return ~sum;
}

}  // namespace

std::size_t ProxyHeaderParser::take(std::string_view bytes) {
  if (state_ != State::incomplete) return 0;
  const std::size_t before = bytes_.size();
  bytes_.append(bytes.substr(0, kLongest - before));
  state_ = examine();
  return bytes_.size() - before;
}

ProxyHeaderParser::State ProxyHeaderParser::malformed(const char* objection) {
  objection_ = objection;
  return State::malformed;
}

// As far as it has come.
bool ProxyHeaderParser::begins_like(std::string_view signature) const {
  const std::size_t known = std::min(bytes_.size(), signature.size());
  return std::string_view(bytes_).substr(0, known) == signature.substr(0, known);
}

ProxyHeaderParser::State ProxyHeaderParser::examine() {
  if (begins_like(kLineStart)) return examine_line();
  if (begins_like(kSignature)) return examine_block();
  return malformed("it begins with neither 'PROXY ' nor the signature of version 2");
}

// ---- Version 1 ----

ProxyHeaderParser::State ProxyHeaderParser::examine_line() {
  const std::size_t end = bytes_.find('\n') + 1;  // 0 where there is none
  if (end == 0 && bytes_.size() < kLongestLine) return State::incomplete;
  if (end == 0 || end > kLongestLine) return malformed("its line does not end within 107 bytes");
  bytes_.resize(end);
  const std::string_view line(bytes_.data(), end - 1);
  if (!line.ends_with('\r')) return malformed("its line ends without a carriage return");
  return read_line(line.substr(kLineStart.size(), line.size() - 1 - kLineStart.size()));
}

// What stands between "PROXY " and the end of the line.
ProxyHeaderParser::State ProxyHeaderParser::read_line(std::string_view line) {
  std::array<std::string_view, 5> words;  // family, source, destination and their ports
  std::size_t count = 0;
  for (bool more = true; more; ++count) {
    if (count == words.size()) return malformed("it has more than five words");
    const std::size_t space = std::min(line.find(' '), line.size());
    words[count] = line.substr(0, space);
    // Whatever follows says nothing then.
    if (count == 0 && words[0] == "UNKNOWN") return State::whole;
    more = space < line.size();
    if (more) line.remove_prefix(space + 1);
  }
  const auto& [family, source, destination, source_port, destination_port] = words;
  if (family == "TCP4") {
    header_.source = parse_address<in_addr>(AF_INET, source, source_port);
    header_.destination = parse_address<in_addr>(AF_INET, destination, destination_port);
  } else if (family == "TCP6") {
    header_.source = parse_address<in6_addr>(AF_INET6, source, source_port);
    header_.destination = parse_address<in6_addr>(AF_INET6, destination, destination_port);
  } else {
    return malformed("it is for neither TCP4 nor TCP6 nor UNKNOWN");
  }
  const bool both = header_.names_client() && header_.destination.family() != AF_UNSPEC;
  if (!both) return malformed("its words are not two addresses and two ports");
  return State::whole;
}

// ---- Version 2 ----

ProxyHeaderParser::State ProxyHeaderParser::examine_block() {
  if (bytes_.size() < kBlockStart) return State::incomplete;
  const std::size_t rest = number_at(14);
  if (rest > kLongestRest) return malformed("it says that it is longer than 4112 bytes");
  if (bytes_.size() < kBlockStart + rest) return State::incomplete;
  bytes_.resize(kBlockStart + rest);
  return read_block();
}

ProxyHeaderParser::State ProxyHeaderParser::read_block() {
  const unsigned command = byte_at(12);
  if (command == kLocal) return State::whole;  // nothing that follows counts
  if (command != kProxy) return malformed("its version and command are not known");
  const unsigned family = byte_at(13) >> 4, transport = byte_at(13) & 0xf;
  if (family > kUnix || transport > kDatagram) {
    return malformed("its family of addresses or its transport is not known");
  }
  if (family == kUnspecified || transport == kUnspecified) return State::whole;
  const std::size_t size = family == kIpv4   ? sizeof(in_addr)
                           : family == kIpv6 ? sizeof(in6_addr)
                                             : sizeof(sockaddr_un::sun_path);
  const std::size_t ports = kBlockStart + 2 * size;
  const std::size_t end = family == kUnix ? ports : ports + 4;
  if (bytes_.size() < end) return malformed("it is shorter than its addresses");
  if (family != kUnix) {
    header_.source = address_at(kBlockStart, size, ports);
    header_.destination = address_at(kBlockStart + size, size, ports + 2);
  }
  return check_extras(end);
}

SocketAddress ProxyHeaderParser::address_at(std::size_t place, std::size_t size,
                                            std::size_t port) const {
  const auto number = static_cast<std::uint16_t>(number_at(port));
  if (size == sizeof(in_addr)) {
    in_addr host;
    std::memcpy(&host, bytes_.data() + place, sizeof host);
    return with_port(host, number);
  }
  in6_addr host;
  std::memcpy(&host, bytes_.data() + place, sizeof host);
  return with_port(host, number);
}

// They say more of the client than this host can use, but for a checksum of the whole.
ProxyHeaderParser::State ProxyHeaderParser::check_extras(std::size_t place) {
  std::size_t checksum = 0;  // where its value is
  while (place < bytes_.size()) {
    if (bytes_.size() - place < kExtraStart) return malformed("what follows its addresses is torn");
    const std::size_t size = number_at(place + 1);
    const std::size_t value = place + kExtraStart;
    if (bytes_.size() - value < size) return malformed("what follows its addresses is torn");
    if (byte_at(place) == kChecksum) {
      if (checksum != 0 || size != kChecksumSize) return malformed("its checksum is none");
      checksum = value;
    }
    place = value + size;
  }
  if (checksum == 0) return State::whole;
  const std::size_t told = number_at(checksum) << 16 | number_at(checksum + 2);
  bytes_.replace(checksum, kChecksumSize, kChecksumSize, '\0');  // as its sender counted it
  if (checksum_of(bytes_) != told) return malformed("its checksum is wrong");
  return State::whole;
}

}  // namespace berth
