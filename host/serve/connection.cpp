#include "serve/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "net/socket.hpp"
#include "plugin/handler.hpp"
#include "serve/client_set.hpp"
#include "serve/crash_note.hpp"
#include "serve/tls_layer.hpp"

namespace berth {

// The clock beside an operation: a sleep, or a read's `duration`. operation.reserved points to it.
class Connection::OperationTimer final : public Timer {
 public:
  OperationTimer(Connection& connection, berth_operation& operation)
      : Timer(connection.timers()),
        connection_(connection),
        operation_(operation),
        next_(connection.operation_timers_) {
    if (next_ != nullptr) next_->previous_ = this;
    connection.operation_timers_ = this;
  }
  ~OperationTimer() override {
    (previous_ != nullptr ? previous_->next_ : connection_.operation_timers_) = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
  }
  void on_due() override { connection_.on_operation_timer(operation_); }

  berth_operation& operation() { return operation_; }
  [[nodiscard]] OperationTimer* next() const { return next_; }

 private:
  Connection& connection_;
  berth_operation& operation_;
  OperationTimer* previous_ = nullptr;  // of its connection's
  OperationTimer* next_;
};

// What a connection of this scheme needs; null for what moves bytes as they are.
static std::unique_ptr<Layer> make_layer(SessionContext& context, AcceptedConnection& accepted) {
  switch (accepted.scheme) {
    case Scheme::tls:
      return std::make_unique<TlsLayer>(*context.tls);
    case Scheme::tcp:
    case Scheme::unix_socket:
      break;
    case Scheme::udp:
    case Scheme::unix_datagram:
      return std::move(accepted.datagram);
  }
  return nullptr;
}

Connection::Connection(SessionContext& context, AcceptedConnection&& accepted, Waits waits)
    : berth_connection{&kHostTable},
      context_(context),
      socket_(std::move(accepted.socket)),
      scheme_(accepted.scheme),
      in_loop_(waits == Waits::in_loop),
      layer_(make_layer(context, accepted)),
      proxied_(std::move(accepted.proxied)),
      report_{.id = accepted.id, .peer = accepted.peer, .accepted = accepted.accepted} {}

Connection::Connection(SessionContext& context, Fd socket, const SessionReport& report, Waits waits)
    : berth_connection{&kHostTable},
      context_(context),
      socket_(std::move(socket)),
      scheme_(report.peer.address().family() == AF_UNSPEC ? Scheme::unix_socket : Scheme::tcp),
      in_loop_(waits == Waits::in_loop),
      report_(report) {}

Connection::~Connection() {
  while (OperationTimer* const first = operation_timers_) {
    operation_timers_ = first->next();
    delete first;
  }
}

ssize_t Connection::open() {
  if (!layer_) return 0;
  try {
    return layer_->open(*this);
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
}

void Connection::give_up(int error, SessionLimit limit) {
  report_.error = cancelled() ? ECANCELED : error;
  report_.limit = limit;
  report_.end = SessionEnd::lost;
  if (layer_) report_.tls = layer_->failure();
}

void Connection::begin() { context_.handler.serve(*this); }

SocketAddress Connection::local() const {
  if (proxied_) return proxied_->local;
  if (const auto local = layer_ ? layer_->local() : std::nullopt) return *local;
  return local_address(socket_.get());
}

std::string Connection::peer() const {
  std::string text = report_.peer.text();
  const std::string name = layer_ ? layer_->peer_name() : "";
  return name.empty() ? text : text + " (" + name + ")";
}

// ---- Starting operations ----

// What a plugin of version 1.0 gives; members that are appended later come with a larger size.
constexpr std::size_t kOperationSize = offsetof(berth_operation, reserved) + sizeof(void*);

int Connection::end_at_once(berth_operation& operation, int error) {
  operation.error = error;
  return BERTH_DONE;
}

// A handler may take ETIMEDOUT for the end of its own `within` and try again: after a client was
// given up for its silence it is told something else, or it would try for ever.
int Connection::error_of_later_ones() const {
  return report_.error == ETIMEDOUT ? ENOTCONN : report_.error;
}

[[gnu::hot]] int Connection::read(berth_operation& operation) {
  if (read_ != nullptr) [[unlikely]]
    return end_at_once(operation, EBUSY);
  operation.flags &= static_cast<std::uint16_t>(~BERTH_END);
  if (operation.size < kOperationSize || operation.duration < 0) [[unlikely]] {
    return end_at_once(operation, EINVAL);
  }
  if (report_.error != 0) [[unlikely]]
    return end_at_once(operation, error_of_later_ones());
  // A datagram that has come is read all the same, and its end follows without a wait.
  const bool ends_here =
      (operation.flags & BERTH_ENDS_ON_STOP) != 0 && context_.stop.draining() && !has_messages();
  if (at_end_ || ends_here) [[unlikely]] {
    operation.flags |= BERTH_END;
    return end_at_once(operation, 0);
  }
  operation.error = 0;
  operation.reserved = nullptr;
  read_ = &operation;
  try {
    if (may_read_at_once()) {
      const ssize_t received = receive_through();
      if (!is_not_yet(received)) {
        report_.error = take(received);
        read_ = nullptr;
        return end_at_once(operation, report_.error);
      }
    }
    if (operation.duration > 0) [[unlikely]]
      arm_timer(operation);
    if (read_closed_) [[unlikely]]
      go_on_soon();
  } catch (const std::bad_alloc&) {
    read_ = nullptr;
    return end_at_once(operation, ENOMEM);
  }
  return BERTH_PENDING;
}

[[gnu::hot]] int Connection::write(berth_operation& operation) {
  if (write_ != nullptr) [[unlikely]]
    return end_at_once(operation, EBUSY);
  if (operation.size < kOperationSize) [[unlikely]]
    return end_at_once(operation, EINVAL);
  if (report_.error != 0) [[unlikely]]
    return end_at_once(operation, error_of_later_ones());
  if (write_closed_ || write_lost_) [[unlikely]]
    return end_at_once(operation, EPIPE);
  write_ = &operation;
  set_written(0);
  operation.error = 0;
  try {
    const ssize_t sent = send_more();
    if (is_not_yet(sent) || (in_loop_ && !may_go_on())) return BERTH_PENDING;
    write_ = nullptr;
    if (sent < 0) [[unlikely]]
      return end_at_once(operation, write_error());
    return BERTH_DONE;
  } catch (const std::bad_alloc&) {
    write_ = nullptr;
    return end_at_once(operation, ENOMEM);
  }
}

int Connection::sleep(berth_operation& operation) {
  if (operation.size < kOperationSize) return end_at_once(operation, EINVAL);
  // A client that has gone does not end a sleep, but a host that must stop now does.
  if (report_.error == ECANCELED) return end_at_once(operation, report_.error);
  operation.error = 0;
  try {
    arm_timer(operation);
  } catch (const std::bad_alloc&) {
    return end_at_once(operation, ENOMEM);
  }
  return BERTH_PENDING;
}

int Connection::background(berth_operation& operation) {
  if (operation.size < kOperationSize || operation.bytes.call.function == nullptr) {
    return end_at_once(operation, EINVAL);
  }
  // As for a sleep: a client that has gone ends no call.
  if (is_cut_off()) return end_at_once(operation, ECANCELED);
  if (calls_ == std::numeric_limits<decltype(calls_)>::max()) return end_at_once(operation, ENOMEM);
  operation.error = 0;
  try {
    if (make_call(operation, report_, nullptr) == Called::at_once) return BERTH_DONE;
  } catch (const std::bad_alloc&) {
    log(LogLevel::warn,
        "a call in the background cannot be made: there is no thread for it, or no memory");
    return end_at_once(operation, ENOMEM);
  }
  ++calls_;
  return BERTH_PENDING;
}

// Where calls are made at once no system call of the host's may have come by to see it.
bool Connection::is_cut_off() {
  if (cancelled()) report_.error = ECANCELED;
  return report_.error == ECANCELED;
}

// Nobody else is held up by it, unless a subclass knows better.
Connection::Called Connection::make_call(berth_operation& operation, const SessionReport&,
                                         std::shared_ptr<void>) {
  operation.bytes.call.function(operation.bytes.call.argument);
  return Called::at_once;
}

[[gnu::hot]] void Connection::finish(int outcome, std::string_view text) {
  lent_.reset();
  // A client that still sends to a socket which was shut down for that resets it.
  if (report_.error != 0 && cancelled()) report_.error = ECANCELED;
  if (report_.error == 0 && write_lost_ && outcome == BERTH_LOST) report_.error = EPIPE;
  if (layer_) report_.tls = layer_->failure();
  if (report_.error == ECANCELED &&
      Clock::now() >= end_of_session(context_.settings, report_.accepted)) {
    report_.limit = SessionLimit::whole;
  }
  if (outcome == BERTH_FAILED) {
    report_.end = SessionEnd::failed;
    log_failure(text.empty() ? "no reason given" : text);
  } else if (report_.error != 0) {
    report_.end = SessionEnd::lost;
  } else {  // nobody closes a datagram
    report_.end = at_end_ && socket_ ? SessionEnd::client : SessionEnd::handler;
  }
}

void Connection::log_failure(std::string_view why) {
  try {
    log(LogLevel::error, "handler '" + context_.settings.handler + "' failed: " + std::string(why));
  } catch (const std::bad_alloc&) {
    context_.log.lose_line();
  }
}

[[gnu::hot]] void Connection::end_if_forgotten() {
  if (finished() || reading() || writing() || sleeping() || in_background()) return;
  if (clients() != nullptr && clients()->waiting()) return;
  finish(BERTH_FAILED, "it neither waits for an operation nor called finish()");
}

void Connection::log(LogLevel level, std::string_view text) {
  try {
    context_.log.write(level, berth::describe(report_) + ": " + std::string(text));
  } catch (const std::bad_alloc&) {
    context_.log.lose_line();
  }
}

// ---- Time, and the end ----

void Connection::arm_timer(berth_operation& operation) {
  auto timer = std::make_unique<OperationTimer>(*this, operation);
  timer->arm(after(Clock::now(), std::max(Duration::zero(), Duration(operation.duration))));
  operation.reserved = timer.release();
}

[[gnu::noinline]] void Connection::delete_timer(berth_operation& operation) {
  delete static_cast<OperationTimer*>(std::exchange(operation.reserved, nullptr));
}

void Connection::on_operation_timer(berth_operation& operation) {
  if (&operation == read_) return complete_read(ETIMEDOUT);
  drop_timer(operation);
  operation.complete(&operation);
}

void Connection::cancel_sleeps(int error) {
  while (operation_timers_ != nullptr) {
    berth_operation& operation = operation_timers_->operation();
    drop_timer(operation);
    operation.error = error;
    operation.complete(&operation);
  }
}

void Connection::complete_call(berth_operation& operation) {
  --calls_;
  operation.complete(&operation);
}

void Connection::break_off(int error, SessionLimit limit) {
  report_.error = error;
  report_.limit = limit;
  const bool all = error == ECANCELED && clients() != nullptr;
  if (all) clients()->cut_off();
  if (reading()) complete_read(error);
  if (writing()) {
    layer_ ? layer_->cancel_send(*this) : cancel_send();
    complete_write(error);
  }
  // Completing these may have let tasks go on to a sleep, which is refused now.
  if (all) clients()->cancel();
  if (error == ECANCELED) cancel_sleeps(error);
}

void Connection::close_write() {
  // Datagrams know no such end.
  if (report_.error != 0 || has_messages()) return;
  (void)half_close();
  if (!writing()) return;
  try {
    go_on_soon();
  } catch (const std::bad_alloc&) {  // then the kernel ends it, when it tries to send more
    return;
  }
  layer_ ? layer_->cancel_send(*this) : cancel_send();
  write_lost_ = true;
}

void Connection::close_read() {
  read_closed_ = true;
  if (!reading()) return;
  try {
    go_on_soon();
  } catch (const std::bad_alloc&) {  // then the kernel is to tell of an end
    (void)::shutdown(socket_.get(), SHUT_RD);
  }
}

bool Connection::must_linger() const {
  if (!finished() || !socket_ || (report_.error != 0 && report_.error != EPROTO)) return false;
  return (report_.error == 0 && !at_end_) || (layer_ && layer_->has_last_word());
}

bool Connection::half_close() {
  write_closed_ = true;
  if (half_closed_) return true;
  if (layer_) {
    const ssize_t told = layer_->half_close(*this);
    if (is_not_yet(told)) return false;
  }
  half_closed_ = true;
  (void)::shutdown(socket_.get(), SHUT_WR);
  return true;
}

}  // namespace berth
