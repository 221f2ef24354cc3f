#include "net/address.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

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
  check_error("", "the address is empty: write tcp://HOST:PORT or unix:///PATH");
}

TEST_CASE("a scheme that is not served is named, with the address as it would be served") {
  check_error("http://localhost:80/x",
              "address 'http://localhost:80/x' has the scheme 'http': there are tcp://, "
              "tls://, udp://, unix:// and unixgram://, as in tcp://localhost:80");
  check_error("TCP://a:1",
              "address 'TCP://a:1' has the scheme 'TCP': there are tcp://, tls://, udp://, unix:// "
              "and unixgram://, as in "
              "tcp://a:1");
  check_error("://",
              "address '://' has the scheme '': there are tcp://, tls://, udp://, unix:// and "
              "unixgram://, as in "
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
  check_error("tcp://a: 7", "address 'tcp://a: 7' has a space in it: write it without one");
}

TEST_CASE(
    "the address of a Unix socket is a path, or an abstract name, and what its file is like") {
  const auto plain = parse_address("unix:///run/echo.sock");
  REQUIRE(plain);
  CHECK(plain.value().scheme == Scheme::unix_socket);
  CHECK(plain.value().host == "/run/echo.sock");
  CHECK(plain.value().file.mode == 0660);
  CHECK(plain.value().url() == "unix:///run/echo.sock");
  const auto whole = parse_address("unix:///run/a.sock?group=www&mode=600&user=7");
  REQUIRE(whole);
  CHECK(whole.value().file.mode == 0600);
  CHECK(whole.value().file.user == "7");
  CHECK(whole.value().file.group == "www");
  CHECK(whole.value().url() == "unix:///run/a.sock?mode=0600&user=7&group=www");
  const auto abstract = parse_address("unix://@echo/1");
  REQUIRE(abstract);
  CHECK(abstract.value().host == "@echo/1");
  CHECK(abstract.value().url() == "unix://@echo/1");
}

TEST_CASE("what is wrong with the address of a Unix socket is told with the remedy") {
  const auto check = [](const std::string& rest, const std::string& error) {
    check_error("unix://" + rest, "address 'unix://" + rest + "' " + error);
  };
  const std::string none = "names no socket: write unix:///run/NAME.sock, or unix://@NAME";
  check("", none);
  check("/", none);
  check("@", none);
  check("?mode=0600", none);
  check("run/echo.sock", "has a path that does not begin with '/': write unix:///run/echo.sock");
  check("/run/", "names a folder: write the path of a socket");
  check("/run/..", "names a folder: write the path of a socket");
  check("/run/./a//b", "takes a roundabout way: write unix:///run/a/b");
  check("/s?", "has nothing behind the '?': leave it off");
  check("/b\x01",
        "has a path with characters that cannot be seen: use those of ASCII from '!' to '~'");
  const std::string longest(107, 'a');
  CHECK(parse_address("unix:///" + longest.substr(1)));
  check("/" + longest, "is too long: the kernel takes 107 bytes for a name, not 108");
  for (const std::string mode : {"", "66", "0888", "1777", "0x60", "rw-", "-660"}) {
    check("/s?mode=" + mode,
          "has the mode '" + mode + "': write three octal digits, like mode=0660");
  }
  check("/s?mod=0660",
        "has 'mod' behind the '?'; did you mean 'mode'?: there can be 'mode', 'user' or 'group', "
        "as in ?mode=0660&group=www-data");
  check("/s?user", "names no user: write user=NAME, or a number");
  check("/s?group=a&group=b", "has 'group' twice: leave off one of them");
  check("@s?mode=0600",
        "has no file whose mode and owner could be set: leave off '?mode=0600'; whoever is on this "
        "machine can connect to an abstract name");
  check_error("unix:/run/s", "address 'unix:/run/s' has no scheme: write unix:///run/s");
  check_error("unix:run/s", "address 'unix:run/s' has no scheme: write unix:///run/s");
  check_error("unix:@s", "address 'unix:@s' has no scheme: write unix://@s");
  check_error("@s", "address '@s' has no scheme: write unix://@s");
  check_error("/run/s", "address '/run/s' has no scheme: write unix:///run/s");
}

TEST_CASE("an address of datagrams is taken, and written back the same") {
  for (const std::string text :
       {"udp://0.0.0.0:5000", "udp://[::1]:0", "udp://my.host:7", "unixgram:///run/log.sock",
        "unixgram:///run/log.sock?mode=0600&user=a&group=b", "unixgram://@log",
        "udp://0.0.0.0:5000?group=239.1.2.3", "udp://[::]:5000?group=ff02::1&interface=eth0.7",
        "udp://my.host:7?group=224.0.0.1&group=ff15::7&interface=192.0.2.1"}) {
    CAPTURE(text);
    const auto parsed = parse_address(text);
    REQUIRE_MESSAGE(parsed, error_of(text));
    CHECK(berth::is_datagram(parsed.value().scheme));
    CHECK(parsed.value().url() == text);
  }
  const Address address = parse_address("udp://[::]:7?interface=lo&group=ff02::1").value();
  CHECK(address.multicast == berth::Multicast{{"ff02::1"}, "lo"});
  CHECK(resolve(address).value()[0].is_datagram());
  CHECK(resolve(address).value()[0].url() == "udp://[::]:7");
  CHECK(resolve({Scheme::unix_datagram, "/s"}).value()[0].url() == "unixgram:///s");
}

TEST_CASE("what is wrong with a group is told with the remedy") {
  const auto check = [](const std::string& rest, const std::string& error) {
    check_error("udp://" + rest, "address 'udp://" + rest + "' " + error);
  };
  check("239.1.2.3:5",
        "has a group of multicast for a host: write udp://0.0.0.0:5?group=239.1.2.3");
  check("[ff02::1]:5", "has a group of multicast for a host: write udp://[::]:5?group=ff02::1");
  check("a:5?", "has nothing behind the '?': leave it off");
  check("a:5?group=10.0.0.1",
        "has the group '10.0.0.1': a group is an address from 224.0.0.0 to 239.255.255.255, or one "
        "of IPv6 that begins with ff");
  check("[::]:5?group=239.1.2.3",
        "has the group 239.1.2.3, which is not of the address's kind: write "
        "udp://0.0.0.0:5?group=239.1.2.3");
  check("0.0.0.0:5?group=ff02::1",
        "has the group ff02::1, which is not of the address's kind: write "
        "udp://[::]:5?group=ff02::1");
  check("127.0.0.1:5?group=239.1.2.3",
        "has a group, and a host of its own: to a socket of one address nothing comes that was "
        "sent to a group: write udp://0.0.0.0:5?group=239.1.2.3");
  check("a:5?group=224.0.0.1&group=224.0.0.1",
        "has the group 224.0.0.1 twice: leave off one of them");
  check("a:5?interface=lo",
        "names an interface and no group: an interface is where groups are joined: write "
        "?group=239.1.2.3&interface=lo");
  check("a:5?group=224.0.0.1&interface=",
        "has the interface '': write its name, like eth0 (ip link lists them), or an IPv4 address "
        "that it has");
  check("a:5?group=224.0.0.1&interface=a&interface=b",
        "has 'interface' twice: leave off one of them");
  check("a:5?groop=224.0.0.1",
        "has 'groop' behind the '?'; did you mean 'group'?: there can be 'group' or 'interface', "
        "as in ?group=239.1.2.3&interface=eth0");
  check_error("tcp://a:5?group=224.0.0.1",
              "address 'tcp://a:5?group=224.0.0.1' goes on after the port: leave off "
              "'?group=224.0.0.1', as in tcp://a:5");
}

TEST_CASE("the name of a Unix socket comes back from the kernel's form") {
  for (const std::string& name : {std::string("/run/echo.sock"), std::string("@echo"),
                                  "/" + std::string(106, 'b'), "@" + std::string(106, 'a')}) {
    const auto address = SocketAddress::of_unix(name);
    CHECK(address.is_unix());
    CHECK(address.text() == name);
    CHECK(address.url() == "unix://" + name);
    CHECK(address.path() == (name[0] == '@' ? "" : name));
    CHECK(SocketAddress(address.get(), address.size()) == address);
    CHECK(resolve({Scheme::unix_socket, name}).value() == std::vector{address});
  }
  CHECK_FALSE(SocketAddress::of_unix("@a") == SocketAddress::of_unix("@b"));
  CHECK_FALSE(SocketAddress::of_unix("@a") == SocketAddress::of_unix("/a"));
}

TEST_CASE("who is at the other end of a Unix socket is told by its credentials") {
  const berth::Peer peer(ucred{.pid = 4711, .uid = 1000, .gid = 100});
  CHECK(peer.family() == AF_UNIX);
  CHECK(peer.text() == "uid=1000,gid=100,pid=4711");
  CHECK(peer == berth::Peer(ucred{.pid = 4711, .uid = 1000, .gid = 100}));
  CHECK_FALSE(peer == berth::Peer(ucred{.pid = 4712, .uid = 1000, .gid = 100}));
  CHECK_FALSE(peer == berth::Peer());
  CHECK(berth::Peer(SocketAddress::of_unix("@a")).text() == "unknown");
}

TEST_CASE("no text makes the parser do anything but answer") {
  // Every short text over the characters that mean something to it.
  const std::string alphabet = std::string("tcp:/[]1.%@*\xff ") + '\0';
  for (const char a : alphabet) {
    for (const char b : alphabet) {
      for (const char c : alphabet) {
        for (const char* start : {"", "tcp://", "unix://", "unix:///s?"}) {
          const std::string text = std::string(start) + a + b + c;
          const auto parsed = parse_address(text);
          if (!parsed) CHECK_FALSE(parsed.error().message.empty());
        }
      }
    }
  }
}

TEST_CASE("only a name needs the resolver") {
  using berth::needs_resolver;
  CHECK(needs_resolver({Scheme::tcp, "localhost", 7}));
  CHECK_FALSE(needs_resolver({Scheme::tcp, "127.0.0.1", 7}));
  CHECK_FALSE(needs_resolver({Scheme::tcp, "::1", 7}));
  CHECK_FALSE(needs_resolver({Scheme::unix_socket, "@echo"}));
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
