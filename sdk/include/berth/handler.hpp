// berth's SDK for handlers in C++20: include this header, build a shared object, done.
//
//     g++ -std=c++20 -fPIC -shared -I sdk/include hello.cpp -o plugins/hello.so
//
// A handler is a class with a coroutine `serve`, which serves one connection from its first byte to
// its last:
//
//     struct Hello {
//       std::string greeting = "Hello";
//
//       static void describe(berth::Description<Hello>& is) {
//         is.name("hello").summary("Greets whoever writes to it by name.");
//         is.option("greeting", &Hello::greeting, "the word to greet with");
//       }
//
//       berth::Task<> serve(berth::Connection connection) const {
//         while (auto name = co_await connection.read())
//           co_await connection.write(greeting, ", ", *name, "!\n");
//       }
//     };
//     BERTH_HANDLER(Hello)
//
// What the host does with it:
// - One object serves all connections of a worker. It is default-constructed, its options are set,
//   then `prepare()`, if there is one, is called once; an exception of these refuses the handler,
//   with its text in the log.
// - `check() const`, if there is one, says by an exception what is wrong with the options beyond
//   their types and limits. It is called before prepare(), and before that when the config is
//   checked, in a process that is thrown away: its text is then an error of the config, with line
//   and column. It only looks, and opens or starts nothing that would disturb who serves.
// - serve() is called for each connection; under `thread` on several threads at once, which is why
//   it is const: state that sessions share and change is `mutable`, with a mutex or an atomic.
// - Whatever serve() throws ends that session alone. ConnectionLost is no fault; all else is logged
//   as an error.
// - The code between two co_awaits holds up the other sessions of a worker with an event loop.
//   Waiting is therefore always co_awaited: read, write, sleep_for; and what blocks or calculates
//   for long is called with in_background.
#pragma once

#include <berth/abi.h>
#include <berth/client.hpp>
#include <berth/connection.hpp>
#include <berth/framing.hpp>
#include <berth/options.hpp>
#include <berth/task.hpp>

#include <cstddef>
#include <cstdio>
#include <ctime>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

// The inline namespace keeps these names apart from the host's own in a program that holds both,
// and from those of another version of the SDK.
namespace berth {
inline namespace v1 {

// The time of day as ctime(3) prints it, without the line's end: "Sun Jun 18 19:37:54 2000".
class Timestamp {
 public:
  explicit Timestamp(std::time_t time) {
    std::tm parts{};
    localtime_r(&time, &parts);
    char buffer[64] = "";
    asctime_r(&parts, buffer);
    size_ = std::string_view(buffer).substr(0, sizeof text_).find('\n');
    if (size_ > sizeof text_) size_ = 0;
    std::string_view(buffer).copy(text_, size_);
  }
  operator std::string_view() const { return {text_, size_}; }

 private:
  char text_[32];
  std::size_t size_;
};

// Now. The text is made once a second, not once a call.
inline Timestamp timestamp() {
  static thread_local std::time_t second = 0;
  static thread_local Timestamp text{0};
  const std::time_t now = std::time(nullptr);
  if (now != second) {
    second = now;
    text = Timestamp(now);
  }
  return text;
}

namespace detail {

// The C table of a handler class, and what stands behind its pointers.
template <class Handler>
class Plugin {
 public:
  Plugin() {
    if constexpr (requires { Handler::describe(description_); }) Handler::describe(description_);
    options_ = description_.table();
    table_ = {.magic = BERTH_ABI_MAGIC,
              .abi_major = BERTH_ABI_MAJOR,
              .abi_minor = BERTH_ABI_MINOR,
              .size = sizeof(berth_plugin),
              .option_size = sizeof(berth_option),
              .name = description_.name().c_str(),
              .summary = description_.summary().c_str(),
              .options = options_.data(),
              .option_count = options_.size(),
              .create = &create,
              .destroy = &destroy,
              .serve = &serve,
              .check = &check};
  }
  const berth_plugin* table() const { return &table_; }

 private:
  static void* create(const berth_creation* creation) noexcept {
    // The runtime's thread-local data for exceptions is made here, while there is memory: glibc
    // ends a process that finds none for it, and the first exception may be a std::bad_alloc.
    (void)std::uncaught_exceptions();
    void* created = nullptr;
    refuse_by_exception(*creation, [&] {
      auto handler = make(*creation);
      if constexpr (requires { handler->prepare(); }) handler->prepare();
      created = handler.release();
    });
    return created;
  }

  static int check(const berth_creation* creation) noexcept {
    return refuse_by_exception(*creation, [&] { (void)make(*creation); }) ? 1 : 0;
  }

  // With its options set, and checked by itself.
  static std::unique_ptr<Handler> make(const berth_creation& creation) {
    auto handler = std::make_unique<Handler>();
    Description<Handler> description;
    if constexpr (requires { Handler::describe(description); }) Handler::describe(description);
    for (std::size_t i = 0; i < creation.count; ++i) {
      const auto* at = reinterpret_cast<const char*>(creation.settings) + i * creation.setting_size;
      description.set(*handler, *reinterpret_cast<const berth_setting*>(at));
    }
    if constexpr (requires { handler->check(); }) std::as_const(*handler).check();
    return handler;
  }

  // Whether the call has thrown; then the reason is told.
  template <class Call>
  static bool refuse_by_exception(const berth_creation& creation, Call call) noexcept {
    try {
      call();
      return false;
    } catch (const std::exception& fault) {
      std::snprintf(creation.error, creation.error_size, "%s", fault.what());
    } catch (...) {
      std::snprintf(creation.error, creation.error_size,
                    "an exception that is not a std::exception");
    }
    return true;
  }

  static void destroy(void* handler) noexcept { delete static_cast<Handler*>(handler); }

  static void serve(void* handler, berth_connection* connection) noexcept {
    try {
      Task<> session = static_cast<const Handler*>(handler)->serve(Connection(connection));
      const auto coroutine = session.release();
      coroutine.promise().session = connection;
      coroutine.resume();
    } catch (...) {  // there was no memory for the coroutine
      end_session(connection, std::current_exception());
    }
  }

  Description<Handler> description_;
  std::vector<berth_option> options_;
  berth_plugin table_{};
};

}  // namespace detail
}  // namespace v1
}  // namespace berth

// Makes a class the handler of this shared object. Once, at namespace scope.
#define BERTH_HANDLER(Handler)                                           \
  extern "C" BERTH_EXPORT const berth_plugin* berth_plugin_entry(void) { \
    try {                                                                \
      static const ::berth::detail::Plugin<Handler> plugin;              \
      return plugin.table();                                             \
    } catch (...) { /* its describe() or its constructor failed */       \
      return nullptr;                                                    \
    }                                                                    \
  }
