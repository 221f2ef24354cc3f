#include "supervise/activated_sockets.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "net/socket.hpp"
#include "plugin/try_in_child.hpp"

namespace berth {
namespace {

SocketAddress address(const std::string& text) {
  auto resolved = resolve(parse_address("tcp://" + text).value());
  REQUIRE(resolved);
  return resolved.value().at(0);
}

Fd listening() { return std::move(listen_on(address("127.0.0.1:0"), 5).value()); }

std::string objection_to(int descriptor) {
  const auto found = address_of_listening(descriptor);
  return found ? "fine" : found.error().message;
}

ActivatedSockets offered(const std::vector<std::pair<std::string, std::string>>& sockets) {
  std::vector<ActivatedSocket> all;
  for (const auto& [name, at] : sockets) all.push_back({name, address(at), Fd()});
  return ActivatedSockets(std::move(all));
}

std::string addresses(const std::vector<ActivatedSocket>& sockets) {
  std::string text;
  for (const auto& each : sockets) text += (text.empty() ? "" : " ") + each.address.text();
  return text;
}

TEST_CASE("a listener takes all sockets of its name, whatever they listen on") {
  auto sockets = offered({{"web", "127.0.0.1:1"}, {"echo", "127.0.0.1:2"}, {"web", "[::1]:3"}});
  CHECK(addresses(sockets.take_named("web")) == "127.0.0.1:1 [::1]:3");
  CHECK(addresses(sockets.take_named("web")) == "");
  CHECK(addresses(sockets.take_rest()) == "127.0.0.1:2");
  CHECK(addresses(sockets.take_rest()) == "");
}

TEST_CASE("a socket is taken by its address, once") {
  auto sockets = offered({{"x", "127.0.0.1:1"}, {"x", "[::1]:1"}, {"x", "0.0.0.0:1"}});
  const auto taken = sockets.take_at(address("[::1]:1"));
  REQUIRE(taken);
  CHECK(taken->address.text() == "[::1]:1");
  CHECK_FALSE(sockets.take_at(address("[::1]:1")));
  CHECK_FALSE(sockets.take_at(address("127.0.0.1:2")));
  CHECK_FALSE(sockets.take_at(address("127.0.0.2:1")));  // 0.0.0.0 is an address of its own
  CHECK(addresses(sockets.take_rest()) == "127.0.0.1:1 0.0.0.0:1");
}

TEST_CASE("a socket with the name of a listener is nobody else's by its address") {
  auto sockets = offered({{"web", "127.0.0.1:1"}, {"other", "127.0.0.1:1"}});
  sockets.keep_for({"echo", "web"});
  const auto taken = sockets.take_at(address("127.0.0.1:1"));
  REQUIRE(taken);
  CHECK(taken->name == "other");
  CHECK_FALSE(sockets.take_at(address("127.0.0.1:1")));
  CHECK(addresses(sockets.take_named("web")) == "127.0.0.1:1");
}

TEST_CASE("what nobody takes is told with its name, its address and the remedy") {
  auto sockets = offered({{"berth.socket", "127.0.0.1:80"}});
  CHECK(not_wanted(sockets.take_rest().at(0)) ==
        "socket activation: no listener is called 'berth.socket', and none listens on "
        "tcp://127.0.0.1:80; that socket is closed (FileDescriptorName= in its unit can name a "
        "listener)");
}

TEST_CASE("only a bound socket of streams or datagrams can be served") {
  const Fd socket = listening();
  CHECK(objection_to(socket.get()) == "fine");
  CHECK(address_of_listening(socket.get()).value() == local_address(socket.get()));

  CHECK(objection_to(9999) == "is not open");
  const Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK(objection_to(file.get()) == "is no socket");
  const Fd datagrams(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  CHECK(objection_to(datagrams.get()) == "is not bound to a port");
  const auto bound =
      listen_on(resolve(parse_address("udp://127.0.0.1:0").value()).value().at(0), 0);
  CHECK(objection_to(bound.value().get()) == "fine");
  CHECK(address_of_listening(bound.value().get()).value().url().starts_with("udp://127.0.0.1:"));
  const SocketAddress taken = local_address(bound.value().get());
  REQUIRE(::connect(datagrams.get(), taken.get(), taken.size()) == 0);
  CHECK(objection_to(datagrams.get()) ==
        "is connected, and would take datagrams of one sender alone");
  const Fd raw(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  CHECK(objection_to(raw.get()) ==
        "is neither a stream socket nor one of datagrams (ListenStream=, ListenDatagram=)");
  const Fd local(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(objection_to(local.get()) == "is not bound to a path");
  const Fd unbound(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(objection_to(unbound.get()) == "is not bound to a port");

  const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const SocketAddress to = local_address(socket.get());
  REQUIRE(::connect(client.get(), to.get(), to.size()) == 0);
  CHECK(objection_to(client.get()) ==
        "is a connection and no socket that listens (Accept=no hands over the latter)");
}

TEST_CASE("one that a failed listener has shut down listens again") {
  // The second of two has asked for its port by number, as a manager's has; the first gives way.
  auto both = listen_together(address("127.0.0.1:0"), 5, 2);
  REQUIRE(both);
  Fd socket = std::move(both.value()[1]);
  both.value().clear();
  const SocketAddress at = local_address(socket.get());
  REQUIRE(::shutdown(socket.get(), SHUT_RDWR) == 0);
  CHECK(objection_to(socket.get()) == "fine");
  const auto again = listen_beside(std::move(socket), 7, 1);
  REQUIRE(again);
  const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(::connect(client.get(), at.get(), at.size()) == 0);
}

TEST_CASE("several workers have sockets of their own beside the one handed over") {
  Fd socket = listening();
  const SocketAddress at = local_address(socket.get());
  const auto three = listen_beside(std::move(socket), 7, 3);
  REQUIRE(three);
  REQUIRE(three.value().size() == 3);
  for (const Fd& each : three.value()) CHECK(local_address(each.get()) == at);
}

// In a child of its own: descriptors from 3 on are what the manager says, and nothing else.
std::string taken_from_environment(const std::string& count, const std::string& pid,
                                   const std::string& names) {
  std::vector<Fd> taken;  // so that the child's answer goes through none of those
  while (taken.empty() || taken.back().get() < 20) taken.emplace_back(::dup(0));
  const auto said = try_in_child([&] {
    const Fd first(::fcntl(listening().release(), F_DUPFD, 30));
    const Fd second(::fcntl(listening().release(), F_DUPFD, 30));
    ::dup2(first.get(), 3);
    ::dup2(::open("/dev/null", O_RDONLY), 4);
    ::dup2(second.get(), 5);
    (void)::fcntl(5, F_SETFL, 0);
    ::setenv("LISTEN_FDS", count.c_str(), 1);
    ::setenv("LISTEN_PID", pid == "self" ? std::to_string(::getpid()).c_str() : pid.c_str(), 1);
    ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
    std::vector<std::string> warnings;
    auto sockets = ActivatedSockets::from_environment(warnings);
    std::string text;
    for (const ActivatedSocket& each : sockets.take_rest()) {
      const int number = each.socket.get();
      int no_delay = 0;
      socklen_t length = sizeof no_delay;
      ::getsockopt(number, IPPROTO_TCP, TCP_NODELAY, &no_delay, &length);
      text += each.name + "=" + std::to_string(number);
      text += (::fcntl(number, F_GETFD) & FD_CLOEXEC) != 0 ? " cloexec" : "";
      text += (::fcntl(number, F_GETFL) & O_NONBLOCK) != 0 ? " nonblock" : "";
      text += no_delay != 0 ? " nodelay\n" : "\n";
    }
    for (const std::string& warning : warnings) text += warning + "\n";
    for (const char* const name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}) {
      if (std::getenv(name) != nullptr) text += std::string(name) + " is left\n";
    }
    return text;
  });
  return said ? said.value() : said.error().message;
}

TEST_CASE("sockets that the manager hands over come with their names, and ready for use") {
  CHECK(taken_from_environment("3", "self", "web:null:echo") ==
        "web=3 cloexec nonblock nodelay\n"
        "echo=5 cloexec nonblock nodelay\n"
        "socket activation: descriptor 4 ('null') is no socket; it is closed\n");
  CHECK(taken_from_environment("1", "self", "") == "unknown=3 cloexec nonblock nodelay\n");
}

TEST_CASE("what is meant for another process, or is no number, is left alone") {
  CHECK(taken_from_environment("3", "1", "a:b:c") == "");
  CHECK(taken_from_environment("", "self", "") == "");
  CHECK(taken_from_environment("x", "self", "") == "");
  CHECK(taken_from_environment("-3", "self", "") == "");
}

}  // namespace
}  // namespace berth
