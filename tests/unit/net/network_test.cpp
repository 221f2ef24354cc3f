#include "net/network.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace berth {
namespace {

SocketAddress address(const std::string& host, std::uint16_t port = 0) {
  return resolve({Scheme::tcp, host, port}).value()[0];
}

TEST_CASE("a network contains the addresses that begin with its prefix, and no others") {
  struct Row {
    const char* network;
    std::vector<const char*> in, out;
  };
  for (const Row& row : {
           Row{"10.0.0.0/8", {"10.0.0.0", "10.255.255.255"}, {"9.255.255.255", "11.0.0.0"}},
           Row{"192.0.2.4/30", {"192.0.2.4", "192.0.2.7"}, {"192.0.2.3", "192.0.2.8"}},
           Row{"192.0.2.7", {"192.0.2.7"}, {"192.0.2.6", "192.0.2.8"}},
           Row{"0.0.0.0/0", {"0.0.0.0", "255.255.255.255"}, {"::", "::1", "2001:db8::1"}},
           Row{"fd00::/8", {"fd00::", "fdff::1"}, {"fe00::", "fc00::1", "10.0.0.1"}},
           Row{"2001:db8::8000/113", {"2001:db8::8000", "2001:db8::ffff"}, {"2001:db8::7fff"}},
           Row{"2001:db8::1", {"2001:db8::1"}, {"2001:db8::", "2001:db8::2"}},
           Row{"::/0", {"::1", "2001:db8::1"}, {"127.0.0.1", "0.0.0.0"}},
       }) {
    CAPTURE(row.network);
    const auto network = parse_network(row.network);
    REQUIRE(network);
    for (const char* host : row.in) CHECK_MESSAGE(network.value().contains(address(host)), host);
    for (const char* host : row.out) {
      CHECK_MESSAGE(!network.value().contains(address(host)), host);
    }
    CHECK_FALSE(network.value().contains(SocketAddress()));
  }
}

TEST_CASE("the port of an address makes no difference") {
  CHECK(parse_network("127.0.0.1").value().contains(address("127.0.0.1", 50007)));
  CHECK(parse_network("::1").value().contains(address("::1", 50007)));
}

TEST_CASE("a network is written back as it is read") {
  for (const std::string text : {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.7/32", "fd00::/8", "::/0",
                                 "2001:db8::1/128", "255.255.255.255/32"}) {
    REQUIRE(parse_network(text));
    CHECK(parse_network(text).value().text() == text);
  }
  CHECK(parse_network("127.0.0.1").value().text() == "127.0.0.1/32");
  CHECK(parse_network("::1").value() == parse_network("::1/128").value());
  CHECK_FALSE(parse_network("10.0.0.0/8").value() == parse_network("10.0.0.0/9").value());
}

TEST_CASE("what is no network is told with what to write") {
  const auto message = [](const char* text) { return parse_network(text).error().message; };
  CHECK(message("10.1.2.3/8") ==
        "network '10.1.2.3/8' has bits behind its prefix: write 10.0.0.0/8, or 10.1.2.3 for that "
        "address alone");
  CHECK(message("fd00::1/64") ==
        "network 'fd00::1/64' has bits behind its prefix: write fd00::/64, or fd00::1 for that "
        "address alone");
  for (const char* text : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8 ",
                           "10.0.0.0/8/8", "10.0.0.0/255.0.0.0"}) {
    CAPTURE(text);
    CHECK(message(text).find("length of its prefix: write a number from 0 to 32") !=
          std::string::npos);
  }
  CHECK(message("fd00::/129").find("write a number from 0 to 128") != std::string::npos);
  for (const char* text : {"", "/8", "10.0.0/8", "10", "example.org", "[::1]", "localhost/8",
                           "256.0.0.0/8", "fe80::1%eth0"}) {
    CAPTURE(text);
    CHECK(message(text).find("does not begin with an IP address") != std::string::npos);
  }
  CHECK(message("::ffff:10.0.0.0/104").find("write it as IPv4") != std::string::npos);
}

TEST_CASE("leading bits are kept and the others are zero") {
  const AddressBits all = bits_of(address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
  CHECK(leading_bits(all, 0) == AddressBits{});
  CHECK(leading_bits(all, 128) == all);
  CHECK(leading_bits(all, 13) == bits_of(address("fff8::")));
  CHECK(leading_bits(all, 64) == bits_of(address("ffff:ffff:ffff:ffff::")));
}

}  // namespace
}  // namespace berth
