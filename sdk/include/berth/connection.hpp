// Connection and its operations. Part of <berth/handler.hpp>.
#pragma once

#include <berth/abi.h>
#include <berth/operations.hpp>
#include <berth/task.hpp>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace berth {
inline namespace v1 {

enum class Level { debug = BERTH_DEBUG, info = BERTH_INFO, warn = BERTH_WARN, error = BERTH_ERROR };

namespace detail {
class Connect;
}

class ClientConnection;

// The connection that a session serves. A handle: copies are the same connection. Valid until
// serve() ends; used on the session's thread only.
class Connection {
 public:
  explicit Connection(berth_connection* connection) : connection_(connection) {}

  // The next bytes that have arrived, at least one (a datagram may be empty), or an empty optional
  // at the end of the stream. They stay valid until the next read() of this connection starts.
  // Throws ConnectionLost.
  [[nodiscard]] detail::Read read() { return detail::Read(connection_); }
  [[nodiscard]] detail::Read read(const ReadOptions& options) {
    return detail::Read(connection_, options);
  }

  // Writes all parts, in order, as one gathered write; done when the kernel has taken every byte.
  // The parts must stay valid until then, as the temporaries of a `co_await` expression do.
  // Throws ConnectionLost.
  template <std::convertible_to<std::string_view>... Parts>
  requires(sizeof...(Parts) > 0)
      [[nodiscard]] detail::Write<sizeof...(Parts)> write(const Parts&... parts) {
    return {connection_, {detail::bytes_of(parts)...}};
  }

  // Lets others run for so long. Throws ConnectionLost when the drain's deadline comes first.
  template <class Rep, class Period>
  [[nodiscard]] detail::Sleep sleep_for(std::chrono::duration<Rep, Period> duration) {
    return {connection_, detail::nanoseconds(duration)};
  }

  // Calls `function()`, which may block: read files, ask databases, resolve names, calculate for
  // long. Gives what it returns, or throws what it throws. Under a model with an event loop it runs
  // on a thread of a pool and others are served meanwhile; where the session has a thread or a
  // process to itself it is a plain call. berth_host.background in abi.h says it in full.
  //
  //     const auto rows = co_await connection.in_background([&] { return table.find(key); });
  //
  // The function runs beside other sessions, and beside other tasks of a when_all: what it shares
  // with them needs a mutex or an atomic. It does not use the connection. A temporary one is moved
  // into the coroutine's frame and destroyed on the session's thread; a named one is called where
  // it is and must stay valid until the `co_await` is over.
  // Throws ConnectionLost if the drain's deadline came before the function began. A deadline that
  // comes while it runs shows in the next operation.
  template <class F>
  requires std::invocable<F>
  [[nodiscard]] detail::Background<F> in_background(F&& function) {
    static_assert(detail::survives_await<F>,
                  "GCC before 13 destroys such a temporary twice: capture by reference ([&]), or "
                  "name it first (auto f = [...] {...}; co_await connection.in_background(f);)");
    return {connection_, std::forward<F>(function)};
  }

  // Connects to "tcp://HOST:PORT", "unix:///PATH" or "unix://@NAME", without holding up others,
  // also while a name is resolved. Gives a connection of the session's own (<berth/client.hpp>).
  //
  //     auto database = co_await connection.connect("tcp://127.0.0.1:5432", {.within = 5s});
  //
  // The address must stay valid until then, as the temporaries of a `co_await` expression do.
  // Throws ConnectFailed; ConnectionLost when the drain's deadline has come.
  [[nodiscard]] detail::Connect connect(std::string_view address);
  [[nodiscard]] detail::Connect connect(std::string_view address, const ConnectOptions& options);

  // Makes a connected stream socket that the handler has, the end of a socketpair(2) say, a
  // connection of the session. The descriptor is the connection's from here on, and is closed if
  // this fails. Throws std::system_error (EBADF, ENOTSOCK, EPROTOTYPE: not SOCK_STREAM, ENOTCONN,
  // ENOMEM, ENOSPC: the model cannot watch so high a descriptor); ConnectionLost when the drain's
  // deadline has come.
  [[nodiscard]] ClientConnection adopt(int descriptor);

  // Nothing more will be written: the other side sees the end of the stream once it has read all,
  // and can still be read from. A write that is pending is broken off and throws ConnectionLost, as
  // later ones do. Where the transport knows no such end (datagrams) the other side is not told.
  void close_write();
  // Nothing more is wanted: a read that waits ends as at the end of the stream, in a while, and so
  // do later ones, perhaps after data that was at hand. The other side is not told. Of two tasks
  // that copy between two connections, one that has failed ends the other with both of these.
  // Both throw std::system_error, with ENOSYS, on a host of a version before 1.2.
  void close_read();

  // The other side's address, and the one it connected to: "127.0.0.1:2934", "[::1]:2934". Over a
  // Unix socket: "uid=1000,gid=1000,pid=4711", and "/run/echo.sock" or "@echo". Of a connection
  // that connect() made: where to, and from where.
  [[nodiscard]] std::string peer() const { return text(connection_->host->peer); }
  [[nodiscard]] std::string local() const { return text(connection_->host->local); }
  // The scheme of the address by which the other side came: "tcp", "tls", "udp", "unix" or
  // "unixgram". Of a client that came through a proxy: by which the proxy came. Of a connection
  // that connect() or adopt() made: "tcp" or "unix". Throws std::system_error with ENOSYS where the
  // host's version is before 1.2.
  [[nodiscard]] std::string scheme() const;
  // The name of the listener in the config.
  [[nodiscard]] std::string listener() const { return text(connection_->host->listener); }
  // Counts connections from 1; the log names it.
  [[nodiscard]] std::uint64_t id() const { return connection_->host->id(connection_); }
  // Whether a drain has begun: the sooner the session ends, the better.
  [[nodiscard]] bool stopping() const { return connection_->host->stopping(connection_) != 0; }

  // A line in the host's log, with the listener and the connection named.
  void log(Level level, std::string_view line) {
    connection_->host->log(connection_, static_cast<int>(level), detail::bytes_of(line));
  }

 private:
  friend class ClientConnection;

  std::string text(std::size_t (*get)(const berth_connection*, char*, std::size_t)) const {
    std::array<char, 128> buffer;
    const std::size_t length = get(connection_, buffer.data(), buffer.size());
    if (length <= buffer.size()) return {buffer.data(), length};
    std::string longer(length, '\0');
    get(connection_, longer.data(), longer.size());
    return longer;
  }

  berth_connection* connection_;
};

inline void detail::end_session(berth_connection* session, std::exception_ptr exception) noexcept {
  const auto finish = [session](int outcome, const char* why) {
    session->host->finish(session, outcome, bytes_of(why));
  };
  if (!exception) return finish(BERTH_FINISHED, "");
  try {
    std::rethrow_exception(std::move(exception));
  } catch (const ConnectionLost& lost) {
    finish(BERTH_LOST, lost.what());
  } catch (const std::exception& fault) {
    finish(BERTH_FAILED, fault.what());
  } catch (...) {
    finish(BERTH_FAILED, "an exception that is not a std::exception");
  }
}

}  // namespace v1
}  // namespace berth
