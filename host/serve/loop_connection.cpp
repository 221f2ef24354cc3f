#include "serve/loop_connection.hpp"

#include <sys/socket.h>

#include <new>

#include "serve/crash_note.hpp"

namespace berth {

// Calls back in a later turn. Only one thing at a time is waited for this way.
class LoopConnection::Later final : public Timer {
 public:
  explicit Later(LoopConnection& connection)
      : Timer(connection.loop_.timers()), connection_(connection) {}
  void on_due() override { (connection_.*call)(); }

  void (LoopConnection::*call)() = nullptr;

 private:
  LoopConnection& connection_;
};

LoopConnection::LoopConnection(SessionContext& context, AcceptedConnection accepted,
                               EventLoop& loop, BufferPool& buffers, Owner& owner)
    : Connection(context, std::move(accepted), loop.timers(), buffers),
      loop_(loop),
      owner_(owner) {}

LoopConnection::~LoopConnection() = default;

bool LoopConnection::start() {
  if (!watch_.start(loop_.demultiplexer(), socket_.get(), *this, {})) return false;
  run([this] { begin(); });
  return true;
}

template <class Work>
void LoopConnection::run(Work work, bool counts_as_move) {
  const bool waited = waits_for_client();
  const std::uint64_t bytes = report().bytes_in + report().bytes_out;
  burst_ = 0;
  set_current_session(&report());
  work();
  set_current_session(nullptr);
  // A timer beside a read does not make the client any less silent.
  settle(counts_as_move || !waited || report().bytes_in + report().bytes_out != bytes);
}

void LoopConnection::settle(bool moved) {
  end_if_forgotten();
  if (finished()) return must_linger() ? linger() : close();
  watch_.set_interest({.read = reading(), .write = writing() && !yielded_});
  if (moved) owner_.moved(*this);
}

void LoopConnection::on_ready(bool readable, bool writable) {
  if (lingering_) {
    if (drop_input()) close();
    return;
  }
  run([&] {
    if (writable && writing() && !yielded_) carry_on_write(MSG_DONTWAIT);
    if (readable && reading()) carry_on_read(MSG_DONTWAIT);
  });
}

void LoopConnection::begin_drain() {
  if (read_ends_on_drain()) run([this] { end_read_on_drain(); });
}

void LoopConnection::end(int error) {
  if (finished()) return close();
  yielded_ = false;
  run([&] { break_off(error); }, true);  // or a handler that lives on would be ended again at once
}

void LoopConnection::on_operation_timer(berth_operation& operation) {
  run([&] { Connection::on_operation_timer(operation); });
}

Connection::Called LoopConnection::make_call(berth_operation& operation) {
  if (owner_.background_pool().start(operation, *this, report())) return Called::elsewhere;
  throw std::bad_alloc();  // the system has no thread to give
}

void LoopConnection::on_background_end(berth_operation& operation) {
  run([&] { complete_call(operation); });
}

bool LoopConnection::may_complete_at_once() {
  if (++burst_ < kBurst) return true;
  yielded_ = true;
  later(loop_.now(), &LoopConnection::finish_yielded_write);
  return false;
}

void LoopConnection::finish_yielded_write() {
  if (!yielded_) return;
  yielded_ = false;
  run([this] { carry_on_write(MSG_DONTWAIT); });
}

void LoopConnection::linger() {
  half_close();
  if (drop_input()) return close();
  lingering_ = true;
  watch_.set_interest({.read = true});
  later(after(loop_.now(), kLingerTime), &LoopConnection::close);
}

void LoopConnection::close() { owner_.over(*this); }

void LoopConnection::later(TimePoint when, void (LoopConnection::*call)()) {
  if (!later_) later_ = std::make_unique<Later>(*this);
  later_->call = call;
  later_->arm(when);
}

}  // namespace berth
