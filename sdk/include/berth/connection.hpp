// Connection and its operations. Part of <berth/handler.hpp>.
#pragma once

#include <berth/abi.h>
#include <berth/task.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

namespace berth {
inline namespace v1 {

// An operation could not be carried out: the other side is gone, it was silent for too long, or the
// host stops. A handler need not catch it: the session then just ends, without a word of blame.
class ConnectionLost : public std::system_error {
 public:
  explicit ConnectionLost(int error) : std::system_error(error, std::generic_category()) {}

  // A read took longer than its `within`, or the client was silent for the idle_timeout or took
  // nothing of a write for the write_timeout.
  [[nodiscard]] bool timed_out() const { return code().value() == ETIMEDOUT; }
  // The drain's deadline has come, or the session has lasted for the session_timeout.
  [[nodiscard]] bool cancelled() const { return code().value() == ECANCELED; }
};

// How a read may end before data comes.
struct ReadOptions {
  // The longest wait; then the read throws ConnectionLost (timed_out()), and the connection can
  // still be used. 0: no bound but the listener's idle_timeout.
  std::chrono::nanoseconds within{0};
  // The protocol can end here: when the listener drains, the read ends as at the end of the stream.
  bool ends_on_stop = false;
};

enum class Level { debug = BERTH_DEBUG, info = BERTH_INFO, warn = BERTH_WARN, error = BERTH_ERROR };

namespace detail {

inline std::int64_t nanoseconds(std::chrono::nanoseconds duration) { return duration.count(); }

// A longer duration than nanoseconds can count waits as long as they can.
template <class Rep, class Period>
std::int64_t nanoseconds(std::chrono::duration<Rep, Period> duration) {
  using Seconds = std::chrono::duration<double>;
  constexpr std::int64_t kLongest = std::numeric_limits<std::int64_t>::max();
  if (Seconds(duration) >= Seconds(std::chrono::nanoseconds(kLongest))) return kLongest;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

[[noreturn]] inline void throw_error(int error) {
  if (error == EBUSY) throw std::logic_error("two reads or two writes at once on one connection");
  if (error == EINVAL) throw std::invalid_argument("an operation that makes no sense");
  throw ConnectionLost(error);
}

// What a coroutine awaits: it lives in the coroutine's frame, so that no operation allocates.
// Frames are most of what an idle connection costs, so it is kept small.
class Operation : protected berth_operation {
 public:
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  void await_suspend(std::coroutine_handle<> awaiting) noexcept { whom_ = awaiting.address(); }

 protected:
  explicit Operation(berth_connection* connection) : berth_operation{}, whom_(connection) {
    size = sizeof(berth_operation);
    complete = [](berth_operation* operation) noexcept {
      std::coroutine_handle<>::from_address(static_cast<Operation*>(operation)->whom_).resume();
    };
  }
  ~Operation() = default;

  void throw_if_failed() const {
    if (error != 0) throw_error(error);
  }

  // Until the operation is started.
  [[nodiscard]] berth_connection* connection() const {
    return static_cast<berth_connection*>(whom_);
  }

 private:
  void* whom_;  // the connection, and from await_suspend() on the coroutine that waits
};

class [[nodiscard]] Read : public Operation {
 public:
  explicit Read(berth_connection* connection) : Operation(connection) {}
  Read(berth_connection* connection, const ReadOptions& options) : Operation(connection) {
    duration = options.within.count();
    flags = options.ends_on_stop ? BERTH_ENDS_ON_STOP : 0;
  }
  bool await_ready() noexcept { return connection()->host->read(connection(), this) == BERTH_DONE; }
  std::optional<std::string_view> await_resume() const {
    throw_if_failed();
    if ((flags & BERTH_END) != 0) return std::nullopt;
    return std::string_view(bytes.data.data, bytes.data.size);
  }
};

template <std::size_t N>
class [[nodiscard]] Write : public Operation {
 public:
  Write(berth_connection* connection, const std::array<berth_bytes, N>& pieces)
      : Operation(connection), pieces_(pieces) {}
  bool await_ready() noexcept {
    bytes.write = {pieces_.data(), N};
    return connection()->host->write(connection(), this) == BERTH_DONE;
  }
  void await_resume() const { throw_if_failed(); }

 private:
  std::array<berth_bytes, N> pieces_;
};

class [[nodiscard]] Sleep : public Operation {
 public:
  Sleep(berth_connection* connection, std::int64_t length) : Operation(connection) {
    duration = length;
  }
  bool await_ready() noexcept {
    return connection()->host->sleep(connection(), this) == BERTH_DONE;
  }
  void await_resume() const { throw_if_failed(); }
};

// GCC before 13 destroys a temporary function with captures twice if it stands in a co_await
// expression (GCC bug 101367). That matters only where destroying it does something.
template <class F>
constexpr bool survives_await =
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
    std::is_lvalue_reference_v<F> || std::is_trivially_destructible_v<F>;
#else
    true;
#endif

// A function and what became of it, in the coroutine's frame while another thread calls it. `F` is
// a reference if the function has a name, and else the type of the temporary, which is moved here.
template <class F>
class [[nodiscard]] Background : public Operation {
 public:
  using Result = std::invoke_result_t<F>;

  Background(berth_connection* connection, F&& function)
      : Operation(connection), function_(std::forward<F>(function)) {}
  bool await_ready() noexcept {
    if (!host_knows_how()) {
      call(this);
      return true;
    }
    bytes.call = {&call, this};
    return connection()->host->background(connection(), this) == BERTH_DONE;
  }
  Result await_resume() {
    throw_if_failed();
    if (exception_) std::rethrow_exception(std::move(exception_));
    if constexpr (std::is_reference_v<Result>) {
      return static_cast<Result>(**result_);
    } else if constexpr (!std::is_void_v<Result>) {
      return std::move(*result_);
    }
  }

 private:
  // The table of a host of version 1.0 ends before this function.
  bool host_knows_how() const {
    constexpr std::size_t kEnd = offsetof(berth_host, background) + sizeof(berth_host::background);
    return connection()->host->size >= kEnd;
  }
  static void call(void* self) noexcept {
    auto& it = *static_cast<Background*>(self);
    try {
      if constexpr (std::is_void_v<Result>) {
        std::invoke(std::forward<F>(it.function_));
      } else if constexpr (std::is_reference_v<Result>) {
        auto&& result = std::invoke(std::forward<F>(it.function_));
        it.result_.emplace(std::addressof(result));
      } else {
        it.result_.emplace(std::invoke(std::forward<F>(it.function_)));
      }
    } catch (...) {
      it.exception_ = std::current_exception();
    }
  }

  using Kept = std::conditional_t<
      std::is_void_v<Result>, std::monostate,
      std::conditional_t<std::is_reference_v<Result>, std::add_pointer_t<Result>, Result>>;

  F function_;
  std::optional<Kept> result_;
  std::exception_ptr exception_;
};

inline berth_bytes bytes_of(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace detail

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

  // The other side's address, and the one it connected to: "127.0.0.1:2934", "[::1]:2934". Over a
  // Unix socket: "uid=1000,gid=1000,pid=4711", and "/run/echo.sock" or "@echo".
  [[nodiscard]] std::string peer() const { return text(connection_->host->peer); }
  [[nodiscard]] std::string local() const { return text(connection_->host->local); }
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
