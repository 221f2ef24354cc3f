// The host's side of the ABI, for tests of the SDK: every operation ends at once, or when the test
// says so. It knows nothing of sockets and threads.
#pragma once

#include <berth/handler.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace berth::testing {

class FakeHost : public berth_connection {
 public:
  // What one read gives: data, an error, or (neither) the end of the stream.
  struct Input {
    std::string data;
    int error = 0;
  };

  FakeHost() : berth_connection{&kTable} {}
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  // Starts a session as the plugin's table does.
  void serve(Task<> session) {
    const auto coroutine = session.release();
    coroutine.promise().session = this;
    coroutine.resume();
  }
  Connection connection() { return Connection(this); }

  // Ends the operation that has been pending for the longest time.
  void complete_next() {
    berth_operation& operation = *pending.front().operation;
    const Kind kind = pending.front().kind;
    pending.pop_front();
    carry_out(kind, operation);
    operation.complete(&operation);
  }
  void complete_all() {
    while (!pending.empty()) complete_next();
  }

  enum class Kind { read, write, sleep, background, connect };
  struct Pending {
    Kind kind;
    berth_operation* operation;
  };

  // What the operations are to do.
  bool reads_wait = false, writes_wait = false, sleeps_wait = false, calls_wait = false;
  bool connects_wait = false;
  std::deque<Input> input;  // when it is used up, the stream has ended
  int write_error = 0, sleep_error = 0;
  int call_error = 0;         // and nothing is called
  FakeHost* other = nullptr;  // what connect() and adopt() make
  int connect_error = 0, adopt_error = 0;
  std::string peer_text = "192.0.2.7:2934";
  bool stopping = false;

  // What was asked of the host.
  std::deque<Pending> pending;
  std::string written;
  std::vector<std::size_t> part_counts;  // of each write
  std::vector<std::int64_t> sleeps;
  std::int64_t read_duration = -1;
  unsigned read_flags = 0;
  int reads = 0;
  std::vector<std::pair<int, std::string>> logged;
  std::string connected_to;
  std::int64_t connect_duration = -1;
  std::vector<int> adopted;
  int closes = 0, write_closes = 0, read_closes = 0;
  int finishes = 0, outcome = -1;
  std::string finish_text;

 private:
  static FakeHost& of(berth_connection* c) { return *static_cast<FakeHost*>(c); }
  static const FakeHost& of(const berth_connection* c) { return *static_cast<const FakeHost*>(c); }
  static std::size_t copy(std::string_view text, char* buffer, std::size_t capacity) {
    text.copy(buffer, std::min(capacity, text.size()));
    return text.size();
  }

  int start(Kind kind, bool waits, berth_operation& operation) {
    if (operation.size != sizeof(berth_operation) || operation.complete == nullptr) {
      operation.error = EINVAL;
      return BERTH_DONE;
    }
    if (waits) {
      pending.push_back({kind, &operation});
      return BERTH_PENDING;
    }
    carry_out(kind, operation);
    return BERTH_DONE;
  }

  void carry_out(Kind kind, berth_operation& operation) {
    switch (kind) {
      case Kind::read:
        return carry_out_read(operation);
      case Kind::write:
        // Looked at now, not when it started: the parts must have lived until here.
        for (std::size_t i = 0; i < operation.bytes.write.count; ++i) {
          const berth_bytes& part = operation.bytes.write.parts[i];
          if (write_error == 0) written.append(part.data, part.size);
        }
        part_counts.push_back(operation.bytes.write.count);
        operation.error = write_error;
        return;
      case Kind::sleep:
        sleeps.push_back(operation.duration);
        operation.error = sleep_error;
        return;
      case Kind::background:
        operation.error = call_error;
        if (call_error == 0) call(operation);
        return;
      case Kind::connect:  // the address is looked at now, as the parts of a write are
        connected_to.assign(operation.bytes.address.data, operation.bytes.address.size);
        connect_duration = operation.duration;
        operation.error = connect_error;
        if (connect_error == 0) operation.bytes.connected = other;
    }
  }

  // On another thread, as under an event loop.
  static void call(berth_operation& operation) {
    const auto [function, argument] = operation.bytes.call;
    std::thread(function, argument).join();
  }

  void carry_out_read(berth_operation& operation) {
    ++reads;
    read_duration = operation.duration;
    read_flags = operation.flags;
    lent_.reset();  // what the read before lent is gone, and a sanitizer says who still looks
    if (input.empty()) {
      operation.flags |= BERTH_END;
      return;
    }
    operation.error = input.front().error;
    lent_ = std::make_unique<std::string>(std::move(input.front().data));
    operation.bytes.data = {lent_->data(), lent_->size()};
    input.pop_front();
  }

  static const berth_host kTable;
  std::unique_ptr<std::string> lent_;
};

inline const berth_host FakeHost::kTable = {
    .size = sizeof(berth_host),
    .abi_minor = BERTH_ABI_MINOR,
    .read = [](berth_connection* c,
               berth_operation* o) { return of(c).start(Kind::read, of(c).reads_wait, *o); },
    .write = [](berth_connection* c,
                berth_operation* o) { return of(c).start(Kind::write, of(c).writes_wait, *o); },
    .sleep = [](berth_connection* c,
                berth_operation* o) { return of(c).start(Kind::sleep, of(c).sleeps_wait, *o); },
    .finish =
        [](berth_connection* c, int outcome, berth_bytes text) {
          ++of(c).finishes;
          of(c).outcome = outcome;
          of(c).finish_text.assign(text.data, text.size);
        },
    .peer = [](const berth_connection* c, char* buffer,
               std::size_t capacity) { return copy(of(c).peer_text, buffer, capacity); },
    .local = [](const berth_connection*, char* buffer,
                std::size_t capacity) { return copy("127.0.0.1:50007", buffer, capacity); },
    .listener = [](const berth_connection*, char* buffer,
                   std::size_t capacity) { return copy("echo", buffer, capacity); },
    .id = [](const berth_connection*) { return std::uint64_t{17}; },
    .stopping = [](const berth_connection* c) { return of(c).stopping ? 1 : 0; },
    .log =
        [](berth_connection* c, int level, berth_bytes text) {
          of(c).logged.emplace_back(level, std::string(text.data, text.size));
        },
    .background =
        [](berth_connection* c, berth_operation* o) {
          return of(c).start(Kind::background, of(c).calls_wait, *o);
        },
    .connect =
        [](berth_connection* c, berth_operation* o) {
          return of(c).start(Kind::connect, of(c).connects_wait, *o);
        },
    .adopt =
        [](berth_connection* c, int descriptor, berth_connection** adopted) {
          of(c).adopted.push_back(descriptor);
          if (of(c).adopt_error == 0) *adopted = of(c).other;
          return of(c).adopt_error;
        },
    .close = [](berth_connection* c) { ++of(c).closes; },
    .close_write = [](berth_connection* c) { ++of(c).write_closes; },
    .close_read = [](berth_connection* c) { ++of(c).read_closes; },
    .scheme = [](const berth_connection*, char* buffer,
                 std::size_t capacity) { return copy("tls", buffer, capacity); },
};

// Awaits a task within a session and keeps what it gives. The references outlive the session.
template <class T>
Task<> keep_result(Task<T> task, std::optional<T>& result) {
  T value = co_await std::move(task);
  result.emplace(std::move(value));
}

}  // namespace berth::testing
