// What the functions of Connection give, to be co_awaited, and how they fail. Part of
// <berth/handler.hpp>.
#pragma once

#include <berth/abi.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
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

// How an attempt to connect is to be made.
struct ConnectOptions {
  // The longest time for all of it, the resolution of a name included; then it fails with
  // ETIMEDOUT. 0: for as long as the kernel tries, minutes.
  std::chrono::nanoseconds within{0};
};

namespace detail {

// Whether the host has that function: the table of an older one ends before those that were
// appended later.
template <class Function>
bool host_has(const berth_connection& connection, Function berth_host::*function) {
  const berth_host& table = *connection.host;
  const auto* const end = reinterpret_cast<const char*>(&(table.*function)) + sizeof(Function);
  return end <= reinterpret_cast<const char*>(&table) + table.size;
}

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
    if (!host_has(*connection(), &berth_host::background)) {
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

}  // namespace v1
}  // namespace berth
