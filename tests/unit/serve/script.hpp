// What a handler does, written down as a coroutine over bare operations of the ABI: the tests of
// host/serve want to see errors and flags as they are, and know nothing of the SDK.
#pragma once

#include <berth/abi.h>

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace berth::testing {

// Runs at once, and is gone when it ends. What a script captures outlives the session.
struct Script {
  struct promise_type {
    Script get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

// An operation, awaited once; afterwards it holds its results.
class Operation : public berth_operation {
 public:
  explicit Operation(berth_connection* c) : berth_operation{}, connection(c) {
    size = sizeof(berth_operation);
    complete = [](berth_operation* operation) {
      static_cast<Operation*>(operation)->awaiting_.resume();
    };
  }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  virtual int start() = 0;
  bool await_ready() {
    waited = start() == BERTH_PENDING;
    return !waited;
  }
  void await_suspend(std::coroutine_handle<> awaiting) { awaiting_ = awaiting; }
  Operation& await_resume() { return *this; }

  std::string_view data() const { return {bytes.data.data, bytes.data.size}; }
  bool at_end() const { return (flags & BERTH_END) != 0; }

  berth_connection* connection;
  bool waited = false;

 protected:
  ~Operation() = default;

 private:
  std::coroutine_handle<> awaiting_;
};

struct ReadOp final : Operation {
  explicit ReadOp(berth_connection* c, std::chrono::nanoseconds within = {}, bool on_stop = false)
      : Operation(c) {
    duration = within.count();
    flags = on_stop ? BERTH_ENDS_ON_STOP : 0;
  }
  int start() override { return connection->host->read(connection, this); }
};

struct WriteOp final : Operation {
  WriteOp(berth_connection* c, std::string_view text)
      : Operation(c), part{text.data(), text.size()} {
    bytes.write = {&part, 1};
  }
  WriteOp(berth_connection* c, const berth_bytes* parts, std::size_t count) : Operation(c), part{} {
    bytes.write = {parts, count};
  }
  int start() override { return connection->host->write(connection, this); }
  berth_bytes part;
};

struct SleepOp final : Operation {
  SleepOp(berth_connection* c, std::chrono::nanoseconds length) : Operation(c) {
    duration = length.count();
  }
  int start() override { return connection->host->sleep(connection, this); }
};

struct CallOp final : Operation {
  CallOp(berth_connection* c, std::function<void()> call) : Operation(c), call_(std::move(call)) {
    bytes.call = {[](void* function) { (*static_cast<std::function<void()>*>(function))(); },
                  &call_};
  }
  int start() override { return connection->host->background(connection, this); }

 private:
  std::function<void()> call_;
};

struct ConnectOp final : Operation {
  ConnectOp(berth_connection* c, std::string_view address, std::chrono::nanoseconds within = {})
      : Operation(c) {
    bytes.address = {address.data(), address.size()};
    duration = within.count();
  }
  int start() override { return connection->host->connect(connection, this); }
  berth_connection* connected() const { return bytes.connected; }
};

inline void finish(berth_connection* c, int outcome = BERTH_FINISHED, std::string_view text = {}) {
  c->host->finish(c, outcome, {text.data(), text.size()});
}

}  // namespace berth::testing
