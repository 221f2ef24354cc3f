#include "client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "wait_for.hpp"

namespace e2e {

namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// The descriptor, or -1 with errno.
int connect_to(std::uint16_t port, const std::string& from, int receive_buffer = 0) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{kPatience.count(), 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (receive_buffer > 0) {
    ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ::inet_pton(AF_INET, from.c_str(), &address.sin_addr);
  // The usual address is left to the kernel, which finds more free ports when it knows both ends.
  if (from != "127.0.0.1" &&
      ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail("cannot bind");
  }
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return socket;
  const int failure = errno;
  ::close(socket);
  errno = failure;
  return -1;
}

// The same, to a Unix socket.
int connect_to(const std::string& name) {
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{kPatience.count(), 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  std::size_t length = offsetof(sockaddr_un, sun_path) + name.size();
  if (name[0] == '@') {
    address.sun_path[0] = '\0';
  } else {
    ++length;
  }
  const auto* const any = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(socket, any, static_cast<socklen_t>(length)) == 0) return socket;
  const int failure = errno;
  ::close(socket);
  errno = failure;
  return -1;
}

}  // namespace

Client::Client(const std::string& socket) : socket_(connect_to(socket)) {
  if (socket_ < 0) fail("cannot connect");
}

Client::Client(std::uint16_t port, int receive_buffer)
    : socket_(connect_to(port, "127.0.0.1", receive_buffer)) {
  if (socket_ < 0) fail("cannot connect");
}

Client::Client(std::uint16_t port, const std::string& from) : socket_(connect_to(port, from)) {
  if (socket_ < 0) fail("cannot connect");
}

Client Client::accepted(int socket) {
  const timeval patience{kPatience.count(), 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  Client client;
  client.socket_ = socket;
  return client;
}

Client::Client(std::uint16_t port, const TlsWish& wish) : Client(port) {
  tls_ = std::make_unique<TlsEnd>(socket_, wish);
}

Client::Client(Client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), tls_(std::move(other.tls_)) {}

Client& Client::operator=(Client&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(tls_, other.tls_);
  return *this;
}

void Client::send(std::string_view bytes) {
  if (tls_) return tls_->send(bytes);
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) fail("cannot send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::size_t Client::send_what_fits(std::string_view bytes) {
  const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) fail("cannot send");
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

std::string Client::read_some(std::size_t at_most) {
  if (tls_) return tls_->read_some(at_most);
  std::string bytes(at_most, '\0');
  const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
  if (count < 0) fail("cannot read");
  bytes.resize(static_cast<std::size_t>(count));
  return bytes;
}

std::string Client::read_line() {
  std::string line;
  for (;;) {
    const std::string next = read_some(1);
    if (next.empty()) throw std::runtime_error("the stream ended after: " + line);
    if (next == "\n") return line;
    line += next;
  }
}

std::string Client::read_exactly(std::size_t count) {
  std::string bytes;
  while (bytes.size() < count) {
    const std::string next = read_some(count - bytes.size());
    if (next.empty()) throw std::runtime_error("the stream ended too early");
    bytes += next;
  }
  return bytes;
}

std::string Client::read_to_end() {
  std::string bytes;
  for (;;) {
    const std::string next = read_some();
    if (next.empty()) return bytes;
    bytes += next;
  }
}

std::string Client::ask(std::string_view command) {
  send(std::string(command) + "\n");
  return read_line();
}

bool Client::has_input() const {
  if (tls_) return tls_->has_input();
  pollfd polled{socket_, POLLIN, 0};
  return ::poll(&polled, 1, 0) > 0;
}

bool Client::is_closed() const {
  if (tls_) return tls_->is_closed();
  char byte;
  const ssize_t count = ::recv(socket_, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
  return count == 0 || (count < 0 && errno != EAGAIN);
}

void Client::wait_until_closed() {
  try {
    while (!read_some().empty()) {
    }
  } catch (const std::system_error& failure) {
    if (failure.code().value() != ECONNRESET) throw;
  }
}

void Client::finish_sending() { tls_ ? tls_->close_write() : cut_sending(); }

void Client::cut_sending() { ::shutdown(socket_, SHUT_WR); }

void Client::close() {
  if (tls_) tls_->close_write();
  tls_.reset();
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

void Client::reset() {
  const linger at_once{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  tls_.reset();
  close();
}

std::string Client::address() const {
  sockaddr_in own{};
  socklen_t length = sizeof own;
  ::getsockname(socket_, reinterpret_cast<sockaddr*>(&own), &length);
  if (own.sin_family == AF_UNIX) {
    return "uid=" + std::to_string(::geteuid()) + ",gid=" + std::to_string(::getegid()) +
           ",pid=" + std::to_string(::getpid());
  }
  return loopback(ntohs(own.sin_port));
}

std::string loopback(std::uint16_t port) {
  std::string text = "127.0.0.1:";
  text += std::to_string(port);
  return text;
}

std::string numbered(std::string_view command, std::size_t number) {
  std::string text(command);
  text += ' ';
  text += std::to_string(number);
  return text;
}

std::string bytes_of_all_values(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 2654435761U >> 13U);
  return bytes;
}

bool is_refused(std::uint16_t port) {
  const int socket = connect_to(port, "127.0.0.1");
  const bool refused = socket < 0 && errno == ECONNREFUSED;
  if (socket >= 0) ::close(socket);
  return refused;
}

bool is_refused(const std::string& socket) {
  const int connected = connect_to(socket);
  const bool refused = connected < 0 && (errno == ECONNREFUSED || errno == ENOENT);
  if (connected >= 0) ::close(connected);
  return refused;
}

}  // namespace e2e
