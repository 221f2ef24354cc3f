#include "serve/loop_connection.hpp"

#include <new>

#include "serve/loop_client.hpp"

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

LoopConnection::LoopConnection(SessionContext& context, AcceptedConnection&& accepted, Owner& owner)
    : Connection(context, std::move(accepted), Waits::in_loop),
      Stream(socket_.get()),
      owner_(owner) {}

LoopConnection::~LoopConnection() {
  if (registered_) owner_.loop.demultiplexer().remove(*this);
}

bool LoopConnection::start() {
  if (!socket_) {  // a datagram, which is here as a whole
    run([this] { begin(); });
    return true;
  }
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
  if (is_not_yet(result)) return owner_.moved(*this);
  opening_ = false;
  later().disarm();
  if (result == 0) return run([this] { begin(); });
  give_up(static_cast<int>(-result));
  must_linger() ? linger() : close();
}

void LoopConnection::on_open_timeout() {
  give_up(ETIMEDOUT, SessionLimit::handshake);
  close();
}

void LoopConnection::settle(bool moved) {
  end_if_forgotten();
  if (clients() != nullptr) finished() ? rare_->clients.reset() : clients()->sweep();
  if (finished()) return must_linger() ? linger() : close();
  if (moved) owner_.moved(*this);
}

void LoopConnection::on_input() {
  if (half_closing_) return;  // it is dropped later
  if (lingering_) return drop_input();
  if (opening_) return open_further();
  if (reading() && !yielded_) run([this] { carry_on_read(); });
}

ssize_t LoopConnection::send(Pieces pieces) {
  if (sending_) return kNotYet;  // something of a layer's own goes out
  const ssize_t result = owner_.loop.demultiplexer().send(*this, pieces);
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
  if (!lingering_) carry_on_half_close();
  if (half_closing_) return linger();
  if (lingering_) return;
  if (opening_) return open_further();
  run([&] {
    if (writing()) carry_on_write();
    if (reading() && !yielded_) carry_on_read();
  });
}

void LoopConnection::begin_drain() {
  if (drain_ends_a_read()) run([this] { end_reads_on_drain(); });
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

Connection::Called LoopConnection::make_call(berth_operation& operation,
                                             const SessionReport& session,
                                             std::shared_ptr<void> kept) {
  operation.reserved = this;
  if (owner_.background.start(operation, session, std::move(kept))) return Called::elsewhere;
  throw std::bad_alloc();  // the system has no thread to give
}

void LoopConnection::on_call_end(berth_operation& operation) {
  auto* const connection = static_cast<LoopConnection*>(operation.reserved);
  if (connection == nullptr) return;  // nobody waits for it any more
  connection->run([&] { connection->complete_call(operation); });
}

bool LoopConnection::may_go_on() {
  if (++burst_ < kBurst) return true;
  yield();
  return false;
}

void LoopConnection::yield() {
  if (yielded_) return;
  later(owner_.loop.now(), &LoopConnection::go_on);
  yielded_ = true;
}

void LoopConnection::go_on() {
  yielded_ = false;
  run([this] {
    if (writing() && !sending_) carry_on_write();
    if (reading() && !yielded_) carry_on_read();
    if (clients() != nullptr) clients()->for_each([](ClientConnection& one) { one.go_on(); });
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
  const TimePoint now = owner_.loop.now();
  if (later().linger_end == kNever) later().linger_end = after(now, kLingerTime);
  const TimePoint end = later().linger_end;
  for (int rounds = 0; rounds < 16; ++rounds) {
    Lent dropped;
    const ssize_t count = receive(dropped);
    if (count == kNotYet) {
      later(end, &LoopConnection::close);
      return true;
    }
    if (count <= 0) return false;
  }
  if (now >= end) return false;
  later(now, &LoopConnection::drop_input);  // there may be more, which nobody tells
  return true;
}

void LoopConnection::close() { owner_.over(*this); }

void LoopConnection::later(TimePoint when, void (LoopConnection::*call)()) {
  later().call = call;
  later().arm(when);
}

LoopConnection::Rare& LoopConnection::rare() {
  if (!rare_) rare_ = std::make_unique<Rare>();
  return *rare_;
}

LoopConnection::Later& LoopConnection::later() {
  if (!rare().later) rare().later = std::make_unique<Later>(*this);
  return *rare().later;
}

ClientSet& LoopConnection::make_clients() {
  if (!rare().clients) rare().clients = std::make_unique<LoopClientSet>(*this);
  return *rare().clients;
}

}  // namespace berth
