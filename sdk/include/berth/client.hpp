// ClientConnection: what a session has beside the connection that it serves. Part of
// <berth/handler.hpp>.
#pragma once

#include <unistd.h>
#include <berth/connection.hpp>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace berth {
inline namespace v1 {

// Nobody could be connected to; what() names the address and the reason. code() is an errno value:
// ECONNREFUSED, ETIMEDOUT and what else connect(2) gives, EADDRNOTAVAIL (no host has that name),
// EAGAIN (the name server does not answer), EINVAL (that is no address), ENOSYS (the host's version
// is before 1.2). A handler that does not catch it fails, and the host logs it as an error.
class ConnectFailed : public std::system_error {
 public:
  ConnectFailed(int error, std::string_view address)
      : std::system_error(error, std::generic_category()),
        text_("cannot connect to " + std::string(address) + ": " + reason()) {}

  [[nodiscard]] const char* what() const noexcept override { return text_.what(); }
  // What what() ends with.
  [[nodiscard]] std::string reason() const {
    switch (code().value()) {
      case EADDRNOTAVAIL:
        return "no host has that name";
      case EAGAIN:
        return "the name server does not answer";
      case EINVAL:
        return "that is no address to connect to";
      default:
        return code().message();
    }
  }

 private:
  std::runtime_error text_;  // which is copied without a throw, as exceptions are
};

// A connection that connect() or adopt() made. It reads, writes and sleeps as the served one does,
// and is given as a Connection to whatever takes one (Lines, Exactly, a task of the handler's own),
// which must not outlive it. It belongs to whoever holds it: its destructor closes it, and then no
// operation of it may be pending. It does not outlive serve().
class [[nodiscard]] ClientConnection : public Connection {
 public:
  // For the SDK itself: the caller owned `connection`.
  explicit ClientConnection(berth_connection* connection) : Connection(connection) {}
  ClientConnection(ClientConnection&& other) noexcept
      : Connection(std::exchange(other.connection_, nullptr)) {}
  ClientConnection& operator=(ClientConnection&& other) noexcept {
    std::swap(connection_, other.connection_);
    return *this;
  }
  ~ClientConnection() { close(); }

  // Closes it now. All that may be done with it afterwards is to destroy it or to assign to it.
  void close() noexcept {
    berth_connection* const connection = std::exchange(connection_, nullptr);
    if (connection != nullptr) connection->host->close(connection);
  }
};

namespace detail {

class [[nodiscard]] Connect : public Operation {
 public:
  Connect(berth_connection* connection, std::string_view address, const ConnectOptions& options)
      : Operation(connection), address_(address) {
    duration = options.within.count();
  }
  bool await_ready() noexcept {
    if (!host_has(*connection(), &berth_host::connect)) {
      error = ENOSYS;
      return true;
    }
    bytes.address = bytes_of(address_);
    return connection()->host->connect(connection(), this) == BERTH_DONE;
  }
  ClientConnection await_resume() const {
    if (error == ECANCELED) throw ConnectionLost(error);
    if (error != 0) throw ConnectFailed(error, address_);
    return ClientConnection(bytes.connected);
  }

 private:
  std::string_view address_;
};

template <class Function>
void require(const berth_connection& connection, Function berth_host::*function, const char* name) {
  if (host_has(connection, function)) return;
  throw std::system_error(ENOSYS, std::generic_category(), name);
}

}  // namespace detail

inline detail::Connect Connection::connect(std::string_view address) {
  return {connection_, address, ConnectOptions()};
}
inline detail::Connect Connection::connect(std::string_view address,
                                           const ConnectOptions& options) {
  return {connection_, address, options};
}

inline ClientConnection Connection::adopt(int descriptor) {
  berth_connection* adopted = nullptr;
  int error = ENOSYS;
  if (detail::host_has(*connection_, &berth_host::adopt)) {
    error = connection_->host->adopt(connection_, descriptor, &adopted);
  } else {
    ::close(descriptor);
  }
  if (error == ECANCELED) throw ConnectionLost(error);
  if (error != 0) throw std::system_error(error, std::generic_category(), "adopt");
  return ClientConnection(adopted);
}

inline void Connection::close_write() {
  detail::require(*connection_, &berth_host::close_write, "close_write");
  connection_->host->close_write(connection_);
}
inline void Connection::close_read() {
  detail::require(*connection_, &berth_host::close_read, "close_read");
  connection_->host->close_read(connection_);
}

inline std::string Connection::scheme() const {
  detail::require(*connection_, &berth_host::scheme, "scheme");
  return text(connection_->host->scheme);
}

}  // namespace v1
}  // namespace berth
