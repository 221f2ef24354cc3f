// Task: the coroutine type of handlers, and when_all. Part of <berth/handler.hpp>.
//
// A Task is lazy: it runs when it is awaited. It belongs to one session and, like all of that
// session, runs on one thread at a time. What it throws is thrown where it is awaited.
#pragma once

#include <berth/abi.h>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace berth {
inline namespace v1 {

template <class T = void>
class Task;

namespace detail {

// Calls finish() for a session whose serve() has ended, with `exception` if it threw.
void end_session(berth_connection* session, std::exception_ptr exception) noexcept;

// Where one or more started tasks meet the coroutine that awaits them. It counts the tasks that
// still run, and one more for the awaiting coroutine itself until it has started them all.
//
// Tasks are started by a nested resume() and a task that ends at once just returns to its starter;
// only one that ends later transfers to the awaiting coroutine. So a long loop over tasks that
// never wait uses no more stack, even where the compiler makes no tail calls (-O0, sanitizers).
struct Join {
  std::size_t running;
  std::coroutine_handle<> awaiting;

  std::coroutine_handle<> arrive() noexcept {
    if (--running == 0) return awaiting;
    return std::noop_coroutine();
  }
};

struct PromiseBase {
  Join* join = nullptr;                 // of a task that is awaited
  berth_connection* session = nullptr;  // of the task that serves a whole session
  std::exception_ptr exception;

  struct Final {
    bool await_ready() noexcept { return false; }
    void await_resume() noexcept {}
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> task) noexcept {
      PromiseBase& promise = task.promise();
      if (promise.join != nullptr) return promise.join->arrive();
      berth_connection* const session = promise.session;
      std::exception_ptr exception = std::move(promise.exception);
      // First the frame with all it holds, then the session: nothing of the handler outlives it.
      task.destroy();
      end_session(session, std::move(exception));
      return std::noop_coroutine();
    }
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  Final final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;

  Task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (exception) std::rethrow_exception(exception);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void take() {
    if (exception) std::rethrow_exception(exception);
  }
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) noexcept : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // Runs the task; the value of the expression is what it returns.
  auto operator co_await() && noexcept { return Awaiter{handle_, {}}; }

  // For the SDK itself: the caller owns the coroutine.
  Handle release() noexcept { return std::exchange(handle_, {}); }
  void start(detail::Join& join) noexcept {
    handle_.promise().join = &join;
    handle_.resume();
  }
  T take() { return handle_.promise().take(); }

 private:
  struct Awaiter {
    Handle task;
    detail::Join join;

    bool await_ready() noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> awaiting) noexcept {
      join = {2, awaiting};
      task.promise().join = &join;
      task.resume();
      return --join.running != 0;
    }
    T await_resume() { return task.promise().take(); }
  };

  Handle handle_;
};

template <class T>
Task<T> detail::Promise<T>::get_return_object() noexcept {
  return Task<T>(Task<T>::Handle::from_promise(*this));
}
inline Task<void> detail::Promise<void>::get_return_object() noexcept {
  return Task<void>(Task<void>::Handle::from_promise(*this));
}

namespace detail {

template <class... Ts>
class [[nodiscard]] WhenAll {
 public:
  explicit WhenAll(Task<Ts>... tasks) : tasks_(std::move(tasks)...) {}

  bool await_ready() noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> awaiting) noexcept {
    join_ = {sizeof...(Ts) + 1, awaiting};
    std::apply([this](auto&... task) { (task.start(join_), ...); }, tasks_);
    return --join_.running != 0;
  }
  auto await_resume() {
    // Braces, not parentheses: they take the values in the order of the arguments.
    return std::apply([](auto&... task) { return Results{value_of(task)...}; }, tasks_);
  }

 private:
  template <class T>
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
  using Results = std::tuple<Value<Ts>...>;

  template <class T>
  static Value<T> value_of(Task<T>& task) {
    if constexpr (std::is_void_v<T>) {
      task.take();
      return {};
    } else {
      return task.take();
    }
  }

  std::tuple<Task<Ts>...> tasks_;
  Join join_{};
};

}  // namespace detail

// Runs tasks of one session at once, under every model: while one waits, the others go on. Done
// when all are; gives a tuple of their results (std::monostate for void). If tasks throw, the first
// of them in the order of the arguments is thrown, after all have ended: one that fails does not
// end the others. Where one is to end the rest, let them look at a flag that both can see.
//
//     co_await berth::when_all(pump(connection, log), heartbeat(connection));
template <class... Ts>
detail::WhenAll<Ts...> when_all(Task<Ts>... tasks) {
  return detail::WhenAll<Ts...>(std::move(tasks)...);
}

}  // namespace v1
}  // namespace berth
