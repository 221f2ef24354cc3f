#include "serve/proxy_header.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace berth {
namespace {

using State = ProxyHeaderParser::State;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string two_bytes(std::size_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
}

// A block of version 2, its command, family and transport as numbers.
std::string block(int command, int family, const std::string& rest) {
  return kSignature + static_cast<char>(command) + static_cast<char>(family) +
         two_bytes(rest.size()) + rest;
}

// What stands behind the addresses.
std::string extra(int type, const std::string& value) {
  return static_cast<char>(type) + two_bytes(value.size()) + value;
}

// 203.0.113.9:2934 to 192.0.2.1:443
const std::string kIpv4("\xcb\x00\x71\x09\xc0\x00\x02\x01\x0b\x76\x01\xbb", 12);
// [2001:db8::9]:2934 to [2001:db8::1]:443
const std::string kIpv6 = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x09" +
                          std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x01" +
                          std::string("\x0b\x76\x01\xbb", 4);
// [::ffff:203.0.113.9]:2934 to [::ffff:192.0.2.1]:443
const std::string kMapped = std::string(10, '\0') + "\xff\xff" + kIpv4.substr(0, 4) +
                            std::string(10, '\0') + "\xff\xff" + kIpv4.substr(4);

// What a parser makes of a header, and of what is sent behind it.
struct Parsed {
  State state;
  std::string text;   // the addresses, or what is wrong
  std::size_t taken;  // bytes
};

std::string text_of(const ProxyHeaderParser& parser) {
  switch (parser.state()) {
    case State::incomplete:
      return "incomplete";
    case State::malformed:
      return std::string(parser.objection());
    case State::whole:
      break;
  }
  const ProxyHeader& header = parser.header();
  if (!header.names_client()) return "the proxy's own";
  return header.source.text() + " to " + header.destination.text();
}

Parsed parse(std::string_view bytes) {
  ProxyHeaderParser parser;
  const std::size_t taken = parser.take(bytes);
  return {parser.state(), text_of(parser), taken};
}

// Whole, with and without something behind it, and in two pieces wherever it is torn.
void check_whole(const std::string& header, const std::string& text) {
  CAPTURE(header);
  for (const std::string& behind : {std::string(), std::string("PROXY \r\n"), kSignature}) {
    const Parsed parsed = parse(header + behind);
    CHECK(parsed.text == text);
    CHECK(parsed.taken == header.size());
    for (std::size_t first = 0; first < header.size(); ++first) {
      ProxyHeaderParser parser;
      const std::size_t taken = parser.take(header.substr(0, first));
      REQUIRE(parser.state() == State::incomplete);
      REQUIRE(taken == first);
      REQUIRE(parser.take(header.substr(first) + behind) == header.size() - first);
      REQUIRE(text_of(parser) == text);
      REQUIRE(parser.size() == header.size());
    }
  }
  ProxyHeaderParser parser;
  for (const char byte : header) REQUIRE(parser.take({&byte, 1}) == 1);
  CHECK(text_of(parser) == text);
  CHECK(parser.take("more") == 0);
}

TEST_CASE("a line of version 1 tells the client's address and where it connected to") {
  const std::string ipv4 = "203.0.113.9:2934 to 192.0.2.1:443";
  check_whole("PROXY TCP4 203.0.113.9 192.0.2.1 2934 443\r\n", ipv4);
  check_whole("PROXY TCP6 2001:db8::9 2001:DB8::1 2934 443\r\n",
              "[2001:db8::9]:2934 to [2001:db8::1]:443");
  check_whole("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n",
              "255.255.255.255:65535 to 0.0.0.0:0");
  check_whole(
      "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
      "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 to "
      "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

TEST_CASE("a line that tells of no client leaves the proxy's address, whatever else it says") {
  check_whole("PROXY UNKNOWN\r\n", "the proxy's own");
  check_whole("PROXY UNKNOWN \r\n", "the proxy's own");
  check_whole("PROXY UNKNOWN one two three four five six\r\n", "the proxy's own");
  check_whole("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n", "the proxy's own");  // 107 bytes
}

TEST_CASE("IPv4 in IPv6's clothes is IPv4, so that whom 'deny' names cannot come under it") {
  const std::string ipv4 = "203.0.113.9:2934 to 192.0.2.1:443";
  check_whole("PROXY TCP6 ::ffff:203.0.113.9 ::ffff:192.0.2.1 2934 443\r\n", ipv4);
  check_whole("PROXY TCP6 ::ffff:cb00:7109 ::ffff:c000:201 2934 443\r\n", ipv4);
  check_whole("PROXY TCP6 ::ffff:203.0.113.9 2001:db8::1 2934 443\r\n",
              "203.0.113.9:2934 to [2001:db8::1]:443");
  check_whole(block(0x21, 0x21, kMapped), ipv4);
}

TEST_CASE("a block of version 2 tells the client's address and where it connected to") {
  for (const int transport : {1, 2}) {
    check_whole(block(0x21, 0x10 | transport, kIpv4), "203.0.113.9:2934 to 192.0.2.1:443");
    check_whole(block(0x21, 0x20 | transport, kIpv6), "[2001:db8::9]:2934 to [2001:db8::1]:443");
  }
}

TEST_CASE("a block for a connection without IP addresses leaves the proxy's") {
  check_whole(block(0x20, 0x00, ""), "the proxy's own");
  check_whole(block(0x20, 0x11, kIpv4), "the proxy's own");
  check_whole(block(0x20, 0xff, "whatever"), "the proxy's own");
  check_whole(block(0x21, 0x00, ""), "the proxy's own");
  check_whole(block(0x21, 0x00, "whatever"), "the proxy's own");
  check_whole(block(0x21, 0x10, kIpv4), "the proxy's own");
  check_whole(block(0x21, 0x31, std::string(216, 'x')), "the proxy's own");
  check_whole(block(0x21, 0x32, std::string(216, 'x') + extra(4, "")), "the proxy's own");
}

TEST_CASE("what stands behind the addresses of a block is skipped") {
  const std::string text = "203.0.113.9:2934 to 192.0.2.1:443";
  check_whole(block(0x21, 0x11, kIpv4 + extra(0x04, "")), text);
  check_whole(block(0x21, 0x11, kIpv4 + extra(0x02, "example.com") + extra(0xee, "\x03\x03")),
              text);
  const std::string longest = kIpv4 + extra(0x20, std::string(4096 - 12 - 3, 'x'));
  CHECK(parse(block(0x21, 0x11, longest)).text == text);
  CHECK(parse(block(0x21, 0x11, longest) + "x").taken == ProxyHeaderParser::kLongest);
}

TEST_CASE("a checksum is looked at where there is one") {
  const std::string before = extra(0x02, "example.com"), after = extra(0x04, "\1\2");
  const std::string good("\x72\x09\xca\xbd", 4);
  const auto with = [&](const std::string& sum) {
    return block(0x21, 0x11, kIpv4 + before + extra(0x03, sum) + after);
  };
  check_whole(with(good), "203.0.113.9:2934 to 192.0.2.1:443");
  for (std::size_t byte = 0; byte < 4; ++byte) {
    std::string bad = good;
    bad[byte] = static_cast<char>(bad[byte] ^ 1);
    CHECK(parse(with(bad)).text == "its checksum is wrong");
  }
  std::string other_client = with(good);
  other_client[19] = 8;
  CHECK(parse(other_client).text == "its checksum is wrong");
  CHECK(parse(with(good.substr(1))).text == "its checksum is none");
  CHECK(parse(with(good + "x")).text == "its checksum is none");
  CHECK(parse(with("")).text == "its checksum is none");
  const std::string twice = extra(0x03, good) + extra(0x03, good);
  CHECK(parse(block(0x21, 0x11, kIpv4 + twice)).text == "its checksum is none");
}

struct Malformed {
  std::string objection;
  std::vector<std::string> headers;
};

void check(const std::vector<Malformed>& rows) {
  for (const auto& [objection, headers] : rows) {
    for (const std::string& header : headers) {
      CAPTURE(header);
      CHECK(parse(header).text == objection);
      ProxyHeaderParser parser;
      for (const char byte : header) parser.take({&byte, 1});
      CHECK(text_of(parser) == objection);
    }
  }
}

TEST_CASE("what begins like no header is known as malformed at its first byte that is wrong") {
  const std::string objection = "it begins with neither 'PROXY ' nor the signature of version 2";
  check({{objection,
          {"GET / HTTP/1.1\r\n", "\n", "\r\n\r\n\r\n", "PROXY\r\n", "PROXY\tTCP4", "proxy ",
           "PROXZ", " PROXY ", kSignature.substr(0, 11) + "\r", std::string(1, '\0')}}});
  for (const std::string& begin : {std::string("PROXY "), kSignature}) {
    for (std::size_t good = 0; good < begin.size(); ++good) {
      ProxyHeaderParser parser;
      (void)parser.take(begin.substr(0, good));
      REQUIRE(parser.state() == State::incomplete);
      (void)parser.take("~");
      REQUIRE(text_of(parser) == objection);
    }
  }
}

TEST_CASE("a line that is not to the letter of version 1 is malformed") {
  const std::string good = "PROXY TCP4 203.0.113.9 192.0.2.1 2934 443";
  const auto tcp4 = [](const std::string& rest) { return "PROXY TCP4 " + rest + "\r\n"; };
  const auto tcp6 = [](const std::string& rest) { return "PROXY TCP6 " + rest + "\r\n"; };
  const std::string no_addresses = "its words are not two addresses and two ports";
  check({
      {"its line ends without a carriage return",
       {good + "\n", "PROXY UNKNOWN\n", "PROXY \n", good + "\r \n"}},
      {"its line does not end within 107 bytes",
       {std::string("PROXY ") + std::string(101, 'x'),
        "PROXY UNKNOWN " + std::string(92, 'x') + "\r\n"}},
      {"it is for neither TCP4 nor TCP6 nor UNKNOWN",
       {"PROXY \r\n", "PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n", "PROXY tcp4 1.2.3.4 1.2.3.4 1 1\r\n",
        "PROXY UNKNOWNS\r\n", "PROXY UNKNOWN\t\r\n", "PROXY TCP 1.2.3.4 1.2.3.4 1 1\r\n"}},
      {"it has more than five words",
       {good + " \r\n", good + " x\r\n", tcp4("1.2.3.4 1.2.3.4  1 1"),
        "PROXY " + good.substr(5) + "\r\n", tcp4("a b c d e f g")}},
      {no_addresses,
       {tcp4("203.0.113.9 192.0.2.1 2934"),
        tcp4(""),
        "PROXY TCP4\r\n",
        tcp4("203.0.113.9  192.0.2.1 2934"),
        tcp4("203.0.113 192.0.2.1 1 1"),
        tcp4("203.0.113.256 192.0.2.1 1 1"),
        tcp4("203.0.113.09 192.0.2.1 1 1"),
        tcp4("0xcb.0.113.9 192.0.2.1 1 1"),
        tcp4("203.0.113.9 host 1 1"),
        tcp4("::1 192.0.2.1 1 1"),
        tcp4("203.0.113.9 ::1 1 1"),
        tcp4("203.0.113.9 192.0.2.1 65536 1"),
        tcp4("203.0.113.9 192.0.2.1 1 65536"),
        tcp4("203.0.113.9 192.0.2.1 01 1"),
        tcp4("203.0.113.9 192.0.2.1 1 00"),
        tcp4("203.0.113.9 192.0.2.1 -1 1"),
        tcp4("203.0.113.9 192.0.2.1 +1 1"),
        tcp4("203.0.113.9 192.0.2.1 1 "),
        tcp4("203.0.113.9 192.0.2.1 1 1\t"),
        tcp4("203.0.113.9 192.0.2.1 1 0x1"),
        tcp4("203.0.113.9 192.0.2.1 1 1\r"),
        tcp4(std::string("203.0.113.9\0 192.0.2.1 1 1", 26)),
        tcp4(std::string("203.0.113.9 192.0.2.1\0x 1 1", 27)),
        tcp6("1.2.3.4 1.2.3.4 1 1"),
        tcp6("::1 1.2.3.4 1 1"),
        tcp6("fe80::1%lo ::1 1 1"),
        tcp6("[::1] ::1 1 1"),
        tcp6("1::2::3 ::1 1 1"),
        tcp6("::12345 ::1 1 1"),
        tcp6(":: : 1 1")}},
  });
}

TEST_CASE("a block that is not to the letter of version 2 is malformed") {
  check({
      {"its version and command are not known",
       {block(0x22, 0x11, kIpv4), block(0x2f, 0x11, kIpv4), block(0x11, 0x11, kIpv4),
        block(0x00, 0x11, kIpv4), block(0x31, 0x11, kIpv4)}},
      {"its family of addresses or its transport is not known",
       {block(0x21, 0x13, kIpv4), block(0x21, 0x41, kIpv4), block(0x21, 0xf1, kIpv4),
        block(0x21, 0x0f, kIpv4)}},
      {"it is shorter than its addresses",
       {block(0x21, 0x11, ""), block(0x21, 0x11, kIpv4.substr(1)),
        block(0x21, 0x21, kIpv6.substr(1)), block(0x21, 0x22, kIpv4),
        block(0x21, 0x31, std::string(215, 'x'))}},
      {"what follows its addresses is torn",
       {block(0x21, 0x11, kIpv4 + "\x04"), block(0x21, 0x11, kIpv4 + std::string("\x04\x00", 2)),
        block(0x21, 0x11, kIpv4 + std::string("\x04\x00\x01", 3)),
        block(0x21, 0x11, kIpv4 + extra(4, "x") + std::string("\x04\xff\xff", 3)),
        block(0x21, 0x31, std::string(216, 'x') + "\x04")}},
      {"it says that it is longer than 4112 bytes",
       {block(0x21, 0x11, std::string(4097, 'x')), block(0x20, 0x00, std::string(65535, 'x'))}},
  });
}

TEST_CASE("of what never ends no more is taken than the longest header has") {
  ProxyHeaderParser line;
  CHECK(line.take("PROXY " + std::string(100000, 'x')) <= ProxyHeaderParser::kLongest);
  CHECK(line.state() == State::malformed);
  ProxyHeaderParser part;
  CHECK(part.take("PROXY UNKNOWN " + std::string(92, 'x')) == 106);
  CHECK(part.state() == State::incomplete);
  CHECK(part.take("x") == 1);
  CHECK(part.state() == State::malformed);
}

}  // namespace
}  // namespace berth
