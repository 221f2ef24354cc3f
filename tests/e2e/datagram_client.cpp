#include "datagram_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "wait_for.hpp"

namespace e2e {

namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

int make_socket(int family) {
  const int socket = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) fail("cannot make a socket");
  const timeval patience{kPatience.count(), 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const int on = 1;  // to all of a network, where a test says so
  ::setsockopt(socket, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
  return socket;
}

template <class Address>
std::string bytes_of(const Address& address, std::size_t size = sizeof(Address)) {
  return {reinterpret_cast<const char*>(&address), size};
}

std::string ip_address(std::uint16_t port, const std::string& host) {
  if (host.find(':') != std::string::npos) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    ::inet_pton(AF_INET6, host.c_str(), &address.sin6_addr);
    return bytes_of(address);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return bytes_of(address);
}

std::string unix_address(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  const bool is_abstract = name[0] == '@';
  if (is_abstract) address.sun_path[0] = '\0';
  return bytes_of(address, offsetof(sockaddr_un, sun_path) + name.size() + (is_abstract ? 0 : 1));
}

std::string text_of(const sockaddr_storage& address) {
  char host[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &ipv4.sin_addr, host, sizeof host);
    return std::string(host) + ":" + std::to_string(ntohs(ipv4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &ipv6.sin6_addr, host, sizeof host);
    return "[" + std::string(host) + "]:" + std::to_string(ntohs(ipv6.sin6_port));
  }
  return "";
}

}  // namespace

DatagramClient::DatagramClient(std::uint16_t port, const std::string& to)
    : socket_(make_socket(to.find(':') == std::string::npos ? AF_INET : AF_INET6)),
      to_(ip_address(port, to)) {
  // Bound before it sends, so that it knows its port.
  const std::string any = ip_address(0, to.find(':') == std::string::npos ? "127.0.0.1" : "::1");
  if (::bind(socket_, reinterpret_cast<const sockaddr*>(any.data()),
             static_cast<socklen_t>(any.size())) != 0) {
    fail("cannot bind");
  }
}

DatagramClient::DatagramClient(const std::string& socket, Name name)
    : socket_(make_socket(AF_UNIX)), to_(unix_address(socket)) {
  if (name == Name::none) return;
  sockaddr_un none{};
  none.sun_family = AF_UNIX;
  if (::bind(socket_, reinterpret_cast<const sockaddr*>(&none), sizeof none.sun_family) != 0) {
    fail("cannot take a name");
  }
}

DatagramClient::DatagramClient(DatagramClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), to_(std::move(other.to_)) {}

DatagramClient::~DatagramClient() {
  if (socket_ >= 0) ::close(socket_);
}

bool DatagramClient::try_to_send(std::string_view bytes) {
  return ::sendto(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(to_.data()),
                  static_cast<socklen_t>(to_.size())) == static_cast<ssize_t>(bytes.size());
}

void DatagramClient::send(std::string_view bytes) {
  if (!try_to_send(bytes)) fail("cannot send a datagram");
}

std::string DatagramClient::receive() {
  std::string bytes(70'000, '\0');
  sockaddr_storage from{};
  socklen_t length = sizeof from;
  const ssize_t count = ::recvfrom(socket_, bytes.data(), bytes.size(), 0,
                                   reinterpret_cast<sockaddr*>(&from), &length);
  if (count < 0) fail("no datagram comes");
  bytes.resize(static_cast<std::size_t>(count));
  sender_ = text_of(from);
  return bytes;
}

bool DatagramClient::has_input(int within_ms) const {
  pollfd polled{socket_, POLLIN, 0};
  return ::poll(&polled, 1, within_ms) > 0;
}

std::string DatagramClient::ask(std::string_view command) {
  send(std::string(command) + "\n");
  std::string line = receive();
  if (line.empty() || line.back() != '\n') throw std::runtime_error("no line: " + line);
  line.pop_back();
  return line;
}

std::string DatagramClient::address() const {
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  ::getsockname(socket_, reinterpret_cast<sockaddr*>(&own), &length);
  if (own.ss_family != AF_UNIX) return text_of(own);
  return "uid=" + std::to_string(::geteuid()) + ",gid=" + std::to_string(::getegid()) +
         ",pid=" + std::to_string(::getpid());
}

void DatagramClient::make_room() const {
  const int room = 4 << 20;
  if (::setsockopt(socket_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0) {
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  }
}

}  // namespace e2e
