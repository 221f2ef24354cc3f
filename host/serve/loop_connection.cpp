#include "serve/loop_connection.hpp"

#include <new>

#include "serve/crash_note.hpp"

namespace berth {

// Calls back in a later turn. Only one thing at a time is waited for this way.
class LoopConnection::Later final : public Timer {
 public:
  explicit Later(LoopConnection& connection)
      : Timer(connection.owner_.loop.timers()), connection_(connection) {}
  void on_due() override { (connection_.*call)(); }

  void (LoopConnection::*call)() = nullptr;
  TimePoint linger_end = kNever;

 private:
  LoopConnection& connection_;
};

LoopConnection::LoopConnection(SessionContext& context, AcceptedConnection accepted, Owner& owner)
    : Connection(context, std::move(accepted)), Stream(socket_.get()), owner_(owner) {}

LoopConnection::~LoopConnection() {
  if (registered_) owner_.loop.demultiplexer().remove(*this);
}

bool LoopConnection::start() {
  registered_ = owner_.loop.demultiplexer().add(*this);
  if (!registered_) return false;
  if (has_layer()) {
    opening_ = true;
    later(after(owner_.loop.now(), context_.settings.handshake_timeout),
          &LoopConnection::on_open_timeout);
    open_further();
  } else {
    run([this] { begin(); });
  }
  return true;
}

// What is said of `run` holds from the handler's begin on.
void LoopConnection::open_further() {
  const ssize_t result = open();
  if (result == kNotYet || result == -EINTR) return owner_.moved(*this);
  opening_ = false;
  later_->disarm();
  if (result == 0) return run([this] { begin(); });
  give_up(static_cast<int>(-result));
  must_linger() ? linger() : close();
}

void LoopConnection::on_open_timeout() {
  give_up(ETIMEDOUT, SessionLimit::handshake);
  close();
}

template <class Work>
void LoopConnection::run(Work work, bool counts_as_move) {
  const bool waited = waits_for_client();
  const std::uint64_t bytes = report().bytes_in + report().bytes_out;
  burst_ = 0;
  set_current_session(&report());
  work();
  set_current_session(nullptr);
  if (owner_.limits_writes && writing()) owner_.write_waits();
  // A timer beside a read does not make the client any less silent.
  settle(counts_as_move || !waited || report().bytes_in + report().bytes_out != bytes);
}

void LoopConnection::settle(bool moved) {
  end_if_forgotten();
  if (finished()) return must_linger() ? linger() : close();
  if (moved) owner_.moved(*this);
}

void LoopConnection::on_input() {
  if (half_closing_) return;  // it is dropped later
  if (lingering_) return drop_input();
  if (opening_) return open_further();
  if (reading() && !yielded_) run([this] { carry_on_read(); });
}

ssize_t LoopConnection::send(const iovec* pieces, std::size_t count) {
  if (sending_) return kNotYet;  // something of a layer's own goes out
  const ssize_t result = owner_.loop.demultiplexer().send(*this, pieces, count);
  sending_ = result == kNotYet;
  return result;
}

void LoopConnection::cancel_send() {
  if (sending_) owner_.loop.demultiplexer().cancel_send(*this);
  sending_ = false;
}

void LoopConnection::on_sent(ssize_t result) {
  sending_ = false;
  if (layer_) return on_layer_sent(result);
  run([&] {
    count_sent(result);
    carry_on_write();
    // Room and input may have come as one event, and input is told of only once.
    if (reading() && !yielded_) carry_on_read();
  });
}

// What the layer had to send need not be the handler's.
void LoopConnection::on_layer_sent(ssize_t result) {
  layer_->on_sent(result);
  if (half_closing_) return linger();
  if (lingering_) return;
  if (opening_) return open_further();
  run([&] {
    if (writing()) carry_on_write();
    if (reading() && !yielded_) carry_on_read();
  });
}

void LoopConnection::begin_drain() {
  if (read_ends_on_drain()) run([this] { end_read_on_drain(); });
}

void LoopConnection::end(int error, SessionLimit limit) {
  if (opening_) give_up(error, limit);
  if (finished()) return close();
  run([&] { break_off(error, limit); },
      true);  // or a handler that lives on would be ended again at once
}

void LoopConnection::on_operation_timer(berth_operation& operation) {
  run([&] { Connection::on_operation_timer(operation); });
}

Connection::Called LoopConnection::make_call(berth_operation& operation) {
  operation.reserved = this;
  if (owner_.background.start(operation, report())) return Called::elsewhere;
  throw std::bad_alloc();  // the system has no thread to give
}

void LoopConnection::on_call_end(berth_operation& operation) {
  auto& connection = *static_cast<LoopConnection*>(operation.reserved);
  connection.run([&] { connection.complete_call(operation); });
}

bool LoopConnection::may_go_on() {
  if (++burst_ < kBurst) return true;
  if (!yielded_) {
    yielded_ = true;
    later(owner_.loop.now(), &LoopConnection::go_on);
  }
  return false;
}

void LoopConnection::go_on() {
  yielded_ = false;
  run([this] {
    if (writing() && !sending_) carry_on_write();
    if (reading() && !yielded_) carry_on_read();
  });
}

void LoopConnection::linger() {
  lingering_ = true;
  half_closing_ = !half_close();
  if (half_closing_) return owner_.moved(*this);
  drop_input();
}

void LoopConnection::drop_input() {
  bool goes_on = false;
  try {
    goes_on = may_linger_on();
  } catch (const std::bad_alloc&) {  // then not
  }
  if (!goes_on) close();
}

// Reads and drops what the client still sends; false when it has closed, or can wait no longer.
bool LoopConnection::may_linger_on() {
  if (!later_) later_ = std::make_unique<Later>(*this);
  if (later_->linger_end == kNever) later_->linger_end = after(owner_.loop.now(), kLingerTime);
  for (int rounds = 0; rounds < 16; ++rounds) {
    const ssize_t count = receive().result;
    if (count == kNotYet) {
      later(later_->linger_end, &LoopConnection::close);
      return true;
    }
    if (count <= 0) return false;
  }
  if (owner_.loop.now() >= later_->linger_end) return false;
  later(owner_.loop.now(), &LoopConnection::drop_input);  // there may be more, which nobody tells
  return true;
}

void LoopConnection::close() { owner_.over(*this); }

void LoopConnection::later(TimePoint when, void (LoopConnection::*call)()) {
  if (!later_) later_ = std::make_unique<Later>(*this);
  later_->call = call;
  later_->arm(when);
}

}  // namespace berth
