#include "serve/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <new>

#include "net/socket.hpp"
#include "plugin/handler.hpp"
#include "serve/crash_note.hpp"

namespace berth {

// The clock beside an operation: a sleep, or a read's `duration`. operation.reserved points to it.
class Connection::OperationTimer final : public Timer {
 public:
  OperationTimer(Connection& connection, berth_operation& operation)
      : Timer(connection.timers_), connection_(connection), operation_(operation) {}
  void on_due() override { connection_.on_operation_timer(operation_); }

  berth_operation& operation() { return operation_; }
  std::list<OperationTimer>::iterator self;

 private:
  Connection& connection_;
  berth_operation& operation_;
};

Connection::Connection(SessionContext& context, AcceptedConnection accepted, TimerQueue& timers,
                       BufferPool& buffers)
    : berth_connection{&kHostTable},
      context_(context),
      socket_(std::move(accepted.socket)),
      report_{.id = accepted.id, .peer = accepted.peer, .accepted = accepted.accepted},
      timers_(timers),
      buffers_(buffers) {}

Connection::~Connection() { take_back_buffer(); }

void Connection::begin() { context_.handler.serve(*this); }

SocketAddress Connection::local() const { return local_address(socket_.get()); }

// ---- Starting operations ----

// What a plugin of version 1.0 gives; members that are appended later come with a larger size.
constexpr std::size_t kOperationSize = offsetof(berth_operation, reserved) + sizeof(void*);

int Connection::refuse(berth_operation& operation, int error) {
  operation.error = error;
  return BERTH_DONE;
}

// A handler may take ETIMEDOUT for the end of its own `within` and try again: after a client was
// given up for its silence it is told something else, or it would try for ever.
int Connection::error_of_later_ones() const { return error_ == ETIMEDOUT ? ENOTCONN : error_; }

int Connection::read(berth_operation& operation) {
  if (read_ != nullptr) return refuse(operation, EBUSY);
  take_back_buffer();
  operation.flags &= static_cast<std::uint16_t>(~BERTH_END);
  if (operation.size < kOperationSize || operation.duration < 0) {
    return refuse(operation, EINVAL);
  }
  if (error_ != 0) return refuse(operation, error_of_later_ones());
  const bool ends_here = (operation.flags & BERTH_ENDS_ON_STOP) != 0 && context_.stop.draining();
  if (at_end_ || ends_here) {
    operation.flags |= BERTH_END;
    return refuse(operation, 0);
  }
  operation.error = 0;
  operation.reserved = nullptr;
  try {
    if (operation.duration > 0) arm_timer(operation);
  } catch (const std::bad_alloc&) {
    return refuse(operation, ENOMEM);
  }
  read_ = &operation;
  return BERTH_PENDING;
}

int Connection::write(berth_operation& operation) {
  if (write_ != nullptr) return refuse(operation, EBUSY);
  if (operation.size < kOperationSize) return refuse(operation, EINVAL);
  if (error_ != 0) return refuse(operation, error_of_later_ones());
  write_ = &operation;
  write_part_ = 0;
  write_offset_ = 0;
  operation.error = 0;
  const Sent sent = send_more(MSG_DONTWAIT);
  const bool over = sent == Sent::all || sent == Sent::failed;
  if (!over || !may_complete_at_once()) return BERTH_PENDING;
  write_ = nullptr;
  if (sent == Sent::failed) return refuse(operation, error_);
  return BERTH_DONE;
}

int Connection::sleep(berth_operation& operation) {
  if (operation.size < kOperationSize) return refuse(operation, EINVAL);
  // A client that has gone does not end a sleep, but a host that must stop now does.
  if (error_ == ECANCELED) return refuse(operation, error_);
  operation.error = 0;
  try {
    arm_timer(operation);
  } catch (const std::bad_alloc&) {
    return refuse(operation, ENOMEM);
  }
  return BERTH_PENDING;
}

int Connection::background(berth_operation& operation) {
  if (operation.size < kOperationSize || operation.bytes.call.function == nullptr) {
    return refuse(operation, EINVAL);
  }
  // As for a sleep: a client that has gone ends no call. Where calls are made at once no system
  // call of the host's may have come by to see that the session is cancelled.
  if (context_.stop.cancelled()) error_ = ECANCELED;
  if (error_ == ECANCELED) return refuse(operation, error_);
  operation.error = 0;
  try {
    if (make_call(operation) == Called::at_once) return BERTH_DONE;
  } catch (const std::bad_alloc&) {
    return refuse(operation, ENOMEM);
  }
  ++calls_;
  return BERTH_PENDING;
}

void Connection::finish(int outcome, std::string_view text) {
  take_back_buffer();
  report_.error = error_;
  if (outcome == BERTH_FAILED) {
    report_.end = SessionEnd::failed;
    const std::string why = text.empty() ? "no reason given" : std::string(text);
    log(LogLevel::error, "handler '" + context_.settings.handler + "' failed: " + why);
  } else if (error_ != 0) {
    report_.end = SessionEnd::lost;
  } else {
    report_.end = at_end_ ? SessionEnd::client : SessionEnd::handler;
  }
}

void Connection::end_if_forgotten() {
  if (finished() || reading() || writing() || sleeping() || in_background()) return;
  finish(BERTH_FAILED, "it neither waits for an operation nor called finish()");
}

void Connection::log(LogLevel level, std::string_view text) {
  context_.log.write(level, berth::describe(report_) + ": " + std::string(text));
}

// ---- Reading ----

Connection::Progress Connection::carry_on_read(int flags) {
  try {
    if (!lent_) lent_ = buffers_.take();
  } catch (const std::bad_alloc&) {
    break_off(ENOMEM);
    return Progress::made;
  }
  const ssize_t count = ::recv(socket_.get(), lent_.get(), BufferPool::kBufferSize, flags);
  if (count > 0) {
    report_.bytes_in += static_cast<std::uint64_t>(count);
    read_->bytes.data = {lent_.get(), static_cast<std::size_t>(count)};
    complete_read(0);
    return Progress::made;
  }
  const int error = errno;
  take_back_buffer();
  if (count < 0) {
    if (error == EAGAIN) return Progress::blocked;
    if (error == EINTR) return Progress::interrupted;
    break_off(error);
    return Progress::made;
  }
  if (context_.stop.cancelled()) {  // it was the host that shut the socket down
    break_off(ECANCELED);
    return Progress::made;
  }
  at_end_ = true;
  read_->flags |= BERTH_END;
  complete_read(0);
  return Progress::made;
}

bool Connection::read_ends_on_drain() const {
  return read_ != nullptr && (read_->flags & BERTH_ENDS_ON_STOP) != 0;
}

void Connection::end_read_on_drain() {
  if (!read_ends_on_drain()) return;
  read_->flags |= BERTH_END;
  complete_read(0);
}

void Connection::complete_read(int error) {
  berth_operation& operation = *std::exchange(read_, nullptr);
  drop_timer(operation);
  operation.error = error;
  operation.complete(&operation);
}

void Connection::take_back_buffer() { buffers_.give_back(std::move(lent_)); }

// ---- Writing ----

std::size_t Connection::gather(iovec* pieces, std::size_t room) const {
  const auto& [parts, count] = write_->bytes.write;
  std::size_t used = 0;
  std::size_t offset = write_offset_;
  for (std::size_t part = write_part_; part < count && used < room; ++part, offset = 0) {
    if (parts[part].size == offset) continue;
    pieces[used++] = {const_cast<char*>(parts[part].data) + offset, parts[part].size - offset};
  }
  return used;
}

void Connection::advance(std::size_t sent) {
  const auto& [parts, count] = write_->bytes.write;
  write_offset_ += sent;
  while (write_part_ < count && write_offset_ >= parts[write_part_].size) {
    write_offset_ -= parts[write_part_++].size;
  }
}

Connection::Sent Connection::send_more(int flags) {
  constexpr std::size_t kPieces = 64;  // well under IOV_MAX
  std::array<iovec, kPieces> pieces;
  bool progress = false;
  for (;;) {
    const std::size_t count = gather(pieces.data(), kPieces);
    if (count == 0) return Sent::all;
    ssize_t sent;
    if (count == 1) {  // cheaper than sendmsg, and what most handlers do
      sent = ::send(socket_.get(), pieces[0].iov_base, pieces[0].iov_len, flags);
    } else {
      msghdr message{};
      message.msg_iov = pieces.data();
      message.msg_iovlen = count;
      sent = ::sendmsg(socket_.get(), &message, flags);
    }
    if (sent < 0) {
      if (errno == EAGAIN) return progress ? Sent::some : Sent::blocked;
      if (errno == EINTR) return progress ? Sent::some : Sent::interrupted;
      error_ = context_.stop.cancelled() ? ECANCELED : errno;
      return Sent::failed;
    }
    progress = true;
    report_.bytes_out += static_cast<std::uint64_t>(sent);
    advance(static_cast<std::size_t>(sent));
  }
}

Connection::Progress Connection::carry_on_write(int flags) {
  switch (send_more(flags)) {
    case Sent::all:
      complete_write(0);
      break;
    case Sent::some:
      break;
    case Sent::blocked:
      return Progress::blocked;
    case Sent::interrupted:
      return Progress::interrupted;
    case Sent::failed:
      break_off(error_);
      break;
  }
  return Progress::made;
}

void Connection::complete_write(int error) {
  berth_operation& operation = *std::exchange(write_, nullptr);
  operation.error = error;
  operation.complete(&operation);
}

// ---- Time, and the end ----

void Connection::arm_timer(berth_operation& operation) {
  OperationTimer& timer = timers_of_operations_.emplace_back(*this, operation);
  timer.self = std::prev(timers_of_operations_.end());
  operation.reserved = &timer;
  try {
    timer.arm(after(Clock::now(), std::max(Duration::zero(), Duration(operation.duration))));
  } catch (const std::bad_alloc&) {
    drop_timer(operation);
    throw;
  }
}

void Connection::drop_timer(berth_operation& operation) {
  if (operation.reserved == nullptr) return;
  auto* const timer = static_cast<OperationTimer*>(std::exchange(operation.reserved, nullptr));
  timers_of_operations_.erase(timer->self);
}

void Connection::on_operation_timer(berth_operation& operation) {
  if (&operation == read_) return complete_read(ETIMEDOUT);
  drop_timer(operation);
  operation.complete(&operation);
}

void Connection::cancel_sleeps(int error) {
  while (!timers_of_operations_.empty()) {
    berth_operation& operation = timers_of_operations_.front().operation();
    drop_timer(operation);
    operation.error = error;
    operation.complete(&operation);
  }
}

void Connection::complete_call(berth_operation& operation) {
  --calls_;
  operation.complete(&operation);
}

void Connection::break_off(int error) {
  error_ = error;
  if (reading()) complete_read(error);
  if (writing()) complete_write(error);
  // Completing these may have let tasks go on to a sleep, which is refused now.
  if (error == ECANCELED) cancel_sleeps(error);
}

void Connection::half_close() { (void)::shutdown(socket_.get(), SHUT_WR); }

bool Connection::drop_input() {
  std::array<char, 4096> buffer;
  for (int rounds = 0; rounds < 16; ++rounds) {
    const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return true;
    if (count < 0) return false;
  }
  return false;
}

}  // namespace berth
