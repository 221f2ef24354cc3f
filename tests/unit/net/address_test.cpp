#include "net/address.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

namespace {

using berth::Address;
using berth::parse_address;
using berth::resolve;
using berth::Scheme;
using berth::SocketAddress;

std::string error_of(std::string_view text) {
  const auto parsed = parse_address(text);
  return parsed ? "no error" : parsed.error().message;
}

void check_parses(std::string_view text, const std::string& host, std::uint16_t port) {
  CAPTURE(text);
  const auto parsed = parse_address(text);
  REQUIRE(parsed);
  CHECK(parsed.value() == Address{Scheme::tcp, host, port});
  CHECK(parsed.value().url() == text);
}

void check_error(std::string_view text, const std::string& error) {
  CAPTURE(text);
  CHECK(error_of(text) == error);
}

TEST_CASE("an address that is written well is taken, and written back the same") {
  check_parses("tcp://0.0.0.0:50007", "0.0.0.0", 50007);
  check_parses("tcp://localhost:0", "localhost", 0);
  check_parses("tcp://[::]:65535", "::", 65535);
  check_parses("tcp://[fe80::1%eth0]:1", "fe80::1%eth0", 1);
  check_parses("tcp://my_host.example-1.org.:8", "my_host.example-1.org.", 8);
}

TEST_CASE("an address without a scheme is told whole") {
  check_error("echo:50007", "address 'echo:50007' has no scheme: write tcp://echo:50007");
  check_error("//echo:50007", "address '//echo:50007' has no scheme: write tcp://echo:50007");
  check_error("tcp:echo:1", "address 'tcp:echo:1' has no scheme: write tcp://echo:1");
  check_error("tcp:/echo:1", "address 'tcp:/echo:1' has no scheme: write tcp://echo:1");
  check_error("tcp:50007", "address 'tcp:50007' has no scheme: write tcp://tcp:50007");
  check_error("50007", "address '50007' has no scheme: write tcp://0.0.0.0:50007");
  check_error(":50007", "address ':50007' has no scheme: write tcp://0.0.0.0:50007");
  check_error("echo", "address 'echo' has no scheme: write tcp://echo:PORT");
  check_error("echo:", "address 'echo:' has no scheme: write tcp://echo:PORT");
  check_error("::1", "address '::1' has no scheme: write tcp://[::1]:PORT");
  check_error("[::1]", "address '[::1]' has no scheme: write tcp://[::1]:PORT");
  check_error("", "the address is empty: write tcp://HOST:PORT");
}

TEST_CASE("a scheme that is not served is named, with the address as it would be served") {
  check_error("http://localhost:80/x",
              "address 'http://localhost:80/x' has the scheme 'http': this version serves tcp:// "
              "only, as in tcp://localhost:80");
  check_error("TCP://a:1",
              "address 'TCP://a:1' has the scheme 'TCP': this version serves tcp:// only, as in "
              "tcp://a:1");
  check_error("://",
              "address '://' has the scheme '': this version serves tcp:// only, as in "
              "tcp://HOST:PORT");
}

TEST_CASE("a port that is missing, no number or too large is told") {
  const std::string remedy = "a port is a number from 1 to 65535, or 0 for any free one";
  const std::string missing = ":PORT, PORT from 1 to 65535, or 0 for any free one";
  check_error("tcp://a", "address 'tcp://a' has no port: write tcp://a" + missing);
  check_error("tcp://a:", "address 'tcp://a:' has no port: write tcp://a" + missing);
  check_error("tcp://[::1]", "address 'tcp://[::1]' has no port: write tcp://[::1]" + missing);
  check_error("tcp://a:http",
              "address 'tcp://a:http' has 'http' for a port, which is not a number: " + remedy);
  check_error("tcp://a:-1",
              "address 'tcp://a:-1' has '-1' for a port, which is not a number: " + remedy);
  check_error("tcp://a:65536",
              "address 'tcp://a:65536' has port 65536, which is too large: " + remedy);
  check_error("tcp://a:99999999999999999999",
              "address 'tcp://a:99999999999999999999' has port 99999999999999999999, which is too "
              "large: " +
                  remedy);
}

TEST_CASE("an IPv6 address without brackets is told with them") {
  check_error("tcp://::1:50007",
              "address 'tcp://::1:50007' has an IPv6 address without brackets: "
              "write tcp://[::1]:50007");
  check_error("tcp://1:2:3:4:5:6:7:8",
              "address 'tcp://1:2:3:4:5:6:7:8' has an IPv6 address "
              "without brackets: write tcp://[1:2:3:4:5:6:7:8]:PORT");
  check_error("tcp://a:b:1",
              "address 'tcp://a:b:1' has more than one ':' after tcp://: write "
              "tcp://HOST:PORT, with brackets around an IPv6 address");
}

TEST_CASE("a host that is empty or cannot be one is told") {
  const std::string every =
      " names no host: write tcp://0.0.0.0:7 for all IPv4 addresses of this machine, tcp://[::]:7 "
      "for all IPv6 ones";
  check_error("tcp://:7", "address 'tcp://:7'" + every);
  check_error("tcp://*:7", "address 'tcp://*:7'" + every);
  check_error("tcp://256.0.0.1:7",
              "address 'tcp://256.0.0.1:7' has '256.0.0.1', which is not an IPv4 address: an IPv4 "
              "address is four numbers up to 255, like 127.0.0.1");
  check_error("tcp://[a]:7",
              "address 'tcp://[a]:7' has 'a' in brackets, which is not an IPv6 address: only IPv6 "
              "addresses take brackets, like tcp://[::1]:50007");
  check_error("tcp://[::1", "address 'tcp://[::1' lacks a ']': write tcp://[::1]:50007");
  check_error("tcp://[::1]7",
              "address 'tcp://[::1]7' goes on after the ']': write tcp://[::1]:PORT");
  check_error("tcp://[fe80::1%]:7",
              "address 'tcp://[fe80::1%]:7' has 'fe80::1%' in brackets, which is not an IPv6 "
              "address: only IPv6 addresses take brackets, like tcp://[::1]:50007");
  check_error("tcp://me@a:7",
              "address 'tcp://me@a:7' has a user name: leave off everything up to "
              "the '@'");
  check_error("tcp://b\xc3\xbc:7",
              "address 'tcp://b\xc3\xbc:7' has a host that cannot be one: a "
              "host name takes letters, digits, '-', '_' and '.'");
}

TEST_CASE("no part of an IPv6 address is hidden from who reads it") {
  for (const std::string_view host :
       {std::string_view("::1\0x", 5), std::string_view("::1\x0b"),
        std::string_view("fe80::1%\x1b[31m"), std::string_view("fe80::1%eth0\0x", 14)}) {
    const std::string text = "tcp://[" + std::string(host) + "]:7";
    check_error(text, "address '" + text + "' has '" + std::string(host) +
                          "' in brackets, which is not an IPv6 address: only IPv6 addresses take "
                          "brackets, like tcp://[::1]:50007");
  }
}

TEST_CASE("what follows the port, and spaces, are told") {
  check_error("tcp://a:7/",
              "address 'tcp://a:7/' goes on after the port: leave off '/', as in "
              "tcp://a:7");
  check_error("tcp://a:7?x=y",
              "address 'tcp://a:7?x=y' goes on after the port: leave off '?x=y', "
              "as in tcp://a:7");
  check_error("tcp://a: 7",
              "address 'tcp://a: 7' has a space in it: write tcp://HOST:PORT without one");
}

TEST_CASE("no text makes the parser do anything but answer") {
  // Every short text over the characters that mean something to it.
  const std::string alphabet = std::string("tcp:/[]1.%@*\xff ") + '\0';
  for (const char a : alphabet) {
    for (const char b : alphabet) {
      for (const char c : alphabet) {
        for (const char* start : {"", "tcp://"}) {
          const std::string text = std::string(start) + a + b + c;
          const auto parsed = parse_address(text);
          if (!parsed) CHECK_FALSE(parsed.error().message.empty());
        }
      }
    }
  }
}

TEST_CASE("a numeric host resolves to itself alone") {
  const auto ipv4 = resolve({Scheme::tcp, "127.0.0.1", 50007});
  REQUIRE(ipv4);
  REQUIRE(ipv4.value().size() == 1);
  CHECK(ipv4.value()[0].text() == "127.0.0.1:50007");
  CHECK(ipv4.value()[0].port() == 50007);
  CHECK(ipv4.value()[0].size() == sizeof(sockaddr_in));

  const auto ipv6 = resolve({Scheme::tcp, "::1", 7});
  REQUIRE(ipv6);
  REQUIRE(ipv6.value().size() == 1);
  CHECK(ipv6.value()[0].text() == "[::1]:7");
  CHECK(ipv6.value()[0].size() == sizeof(sockaddr_in6));
}

TEST_CASE("localhost resolves to loopback addresses, each once") {
  const auto found = resolve({Scheme::tcp, "localhost", 7});
  REQUIRE(found);
  REQUIRE_FALSE(found.value().empty());
  std::set<std::string> seen;
  for (const auto& address : found.value()) {
    CAPTURE(address.text());
    CHECK((address.text() == "127.0.0.1:7" || address.text() == "[::1]:7"));
    CHECK(seen.insert(address.text()).second);
  }
}

TEST_CASE("a name that cannot exist fails with the host and the resolver's words") {
  // An empty label is refused without asking a name server.
  const auto found = resolve({Scheme::tcp, "a..b", 7});
  REQUIRE_FALSE(found);
  CHECK(found.error().message.starts_with("cannot resolve host 'a..b': "));
}

TEST_CASE("socket addresses are equal when host and port are") {
  const auto one = resolve({Scheme::tcp, "127.0.0.1", 7}).value()[0];
  CHECK(one == resolve({Scheme::tcp, "127.0.0.1", 7}).value()[0]);
  CHECK_FALSE(one == resolve({Scheme::tcp, "127.0.0.1", 8}).value()[0]);
  CHECK_FALSE(one == resolve({Scheme::tcp, "127.0.0.2", 7}).value()[0]);
  CHECK_FALSE(one == resolve({Scheme::tcp, "::1", 7}).value()[0]);
  CHECK(SocketAddress{} == SocketAddress{});
  CHECK(SocketAddress{}.text() == "unknown");
}

TEST_CASE("an address with a zone names its interface") {
  sockaddr_in6 raw{};
  raw.sin6_family = AF_INET6;
  raw.sin6_port = htons(7);
  raw.sin6_scope_id = 4000000000;  // no machine has that many interfaces
  REQUIRE(inet_pton(AF_INET6, "fe80::1", &raw.sin6_addr) == 1);
  const SocketAddress address(reinterpret_cast<const sockaddr*>(&raw), sizeof raw);
  CHECK(address.text() == "[fe80::1%4000000000]:7");
}

}  // namespace
