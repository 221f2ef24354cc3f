// Fuzz target: serve/proxy_header. The input is one byte, which says into pieces of what length the
// rest is cut, and then what a proxy's connection begins with.
#include <algorithm>
#include <string>

#include "input.hpp"
#include "require.hpp"
#include "serve/proxy_header.hpp"

namespace berth::fuzz {
namespace {

using State = ProxyHeaderParser::State;

// Gives it all, in pieces of that length; how many bytes it took.
std::size_t take_in_pieces(ProxyHeaderParser& parser, std::string_view bytes, std::size_t length) {
  std::size_t taken = 0;
  while (taken < bytes.size() && parser.state() == State::incomplete) {
    const std::string_view piece = bytes.substr(taken, length);
    const std::size_t count = parser.take(piece);
    require(count <= piece.size(), "no more is taken than is there", bytes);
    require(count == piece.size() || parser.state() != State::incomplete,
            "all of what comes belongs to a header that is incomplete", bytes);
    taken += count;
  }
  require(parser.size() == taken, "a parser knows how much it has taken", bytes);
  require(taken <= ProxyHeaderParser::kLongest, "a header has a bound", bytes);
  return taken;
}

void require_same(const ProxyHeaderParser& one, const ProxyHeaderParser& other,
                  std::string_view bytes) {
  const ProxyHeader &first = one.header(), &second = other.header();
  require(one.state() == other.state() && one.objection() == other.objection(),
          "a header means the same however it comes", bytes);
  if (one.state() != State::whole) return;
  require(first.source == second.source && first.destination == second.destination,
          "a header tells the same addresses however it comes", bytes);
}

std::string host_of(const SocketAddress& address) {
  const std::string text = address.text();
  const std::string host = text.substr(0, text.rfind(':'));
  return address.family() == AF_INET6 ? host.substr(1, host.size() - 2) : host;
}

// What it tells, told again by version 1, which knows only pairs of one family.
void check_addresses(const ProxyHeader& header, std::string_view bytes) {
  require(header.names_client() == (header.destination.family() != AF_UNSPEC),
          "both addresses are told or none", bytes);
  if (!header.names_client()) return;
  const int family = header.source.family();
  require(family == AF_INET || family == AF_INET6, "what is told are IP addresses", bytes);
  require(host_of(header.source).rfind("::ffff:", 0) != 0 ||
              host_of(header.source).find('.') == std::string::npos,
          "IPv4 is told as IPv4", bytes);
  if (header.destination.family() != family) return;
  ProxyHeaderParser again;
  (void)again.take(std::string("PROXY ") + (family == AF_INET ? "TCP4 " : "TCP6 ") +
                   host_of(header.source) + " " + host_of(header.destination) + " " +
                   std::to_string(header.source.port()) + " " +
                   std::to_string(header.destination.port()) + "\r\n");
  require(again.state() == State::whole && again.header().source == header.source &&
              again.header().destination == header.destination,
          "what is told can be told again", bytes);
}

}  // namespace
}  // namespace berth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  fuzz::Input input(data, size);
  const std::size_t length = 1 + input.below(256);
  const std::string_view bytes = input.rest();
  ProxyHeaderParser at_once, in_pieces;
  const std::size_t taken =
      fuzz::take_in_pieces(at_once, bytes, std::max<std::size_t>(1, bytes.size()));
  const std::size_t taken_in_pieces = fuzz::take_in_pieces(in_pieces, bytes, length);
  fuzz::require_same(at_once, in_pieces, bytes);
  if (at_once.state() == ProxyHeaderParser::State::malformed) {
    fuzz::require(!at_once.objection().empty(), "what is malformed is told why", bytes);
    return 0;
  }
  fuzz::require(taken == taken_in_pieces, "a header has one end", bytes);
  if (at_once.state() == ProxyHeaderParser::State::incomplete) return 0;
  ProxyHeaderParser alone;
  fuzz::require(alone.take(bytes.substr(0, taken)) == taken, "what is taken is a header", bytes);
  fuzz::require_same(at_once, alone, bytes);
  fuzz::check_addresses(at_once.header(), bytes);
  return 0;
}
