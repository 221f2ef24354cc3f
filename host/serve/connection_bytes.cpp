// The part of Connection that moves bytes: what is read into a pending read, and what is left of a
// pending write.
#include <array>
#include <cerrno>
#include <cstddef>
#include <new>
#include <utility>

#include "serve/connection.hpp"

namespace berth {

// ---- Reading ----

// Has lent what has come in; where the handler waits for no more, the end follows at once.
ssize_t Connection::receive_through() {
  const ssize_t received = layer_ ? layer_->receive(*this, lent_) : receive(lent_);
  const bool would_wait = received == kNotYet || received == -EINTR;
  return read_closed_ && would_wait ? 0 : received;
}

// Fills in the pending read, which is not completed yet; the answer is its error.
[[gnu::hot]] int Connection::take(ssize_t received) {
  if (lent_) {
    report_.bytes_in += static_cast<std::uint64_t>(received);
    read_->bytes.data = {lent_.get(), static_cast<std::size_t>(received)};
  } else if (received == 0 && !cancelled()) {
    at_end_ = !read_closed_;
    read_->flags |= BERTH_END;
  } else {  // the end of the stream may be the host's doing, when it has shut the socket down
    return cancelled() ? ECANCELED : static_cast<int>(-received);
  }
  return 0;
}

[[gnu::hot]] ssize_t Connection::carry_on_read() {
  ssize_t received;
  try {
    received = receive_through();
  } catch (const std::bad_alloc&) {
    received = -ENOMEM;
  }
  if (received == kNotYet || received == -EINTR) return received;
  const int error = take(received);
  error != 0 ? break_off(error) : complete_read(0);
  return received;
}

[[gnu::hot]] bool Connection::read_ends_on_drain() const {
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

// ---- Writing ----

// What is left of the pending write, or as much of it as there is room for.
Connection::Gathered Connection::gather(std::span<iovec> pieces) const {
  const auto& [parts, count] = write_->bytes.write;
  Gathered gathered;
  std::size_t done = written();
  std::size_t part = 0;
  for (; part < count && gathered.count < pieces.size(); ++part) {
    const berth_bytes& bytes = parts[part];
    if (bytes.size > done) {
      const std::size_t size = bytes.size - done;
      pieces[gathered.count++] = {const_cast<char*>(bytes.data) + done, size};
      gathered.size += size;
      done = 0;
    } else {
      done -= bytes.size;
    }
  }
  gathered.is_all = part == count;
  return gathered;
}

// In one system call; well under IOV_MAX.
constexpr std::size_t kPieces = 64;
// What most writes have: so few need little of the stack, of which a session's process has to copy
// each page that it comes to.
constexpr std::size_t kFewPieces = 4;

// As send_more(), of a write that is a message.
ssize_t Connection::send_message() {
  const std::size_t parts = write_->bytes.write.count;
  std::array<iovec, kFewPieces> few;
  std::vector<iovec> many(parts > few.size() ? parts : 0);
  const std::span<iovec> pieces = many.empty() ? std::span<iovec>(few) : many;
  const ssize_t sent = layer_->send(*this, pieces.data(), gather(pieces).count);
  if (sent == kNotYet || sent == -EINTR) return sent;
  count_sent(sent);
  return sent < 0 ? sent : 0;
}

// Sends what is left of the pending write, as far as it goes: 0 once nothing is, or what stopped
// it.
[[gnu::hot]] ssize_t Connection::send_more() {
  if (layer_ && layer_->has_messages()) return send_message();
  if (write_->bytes.write.count > kFewPieces) return send_many();
  std::array<iovec, kFewPieces> few;
  return send_pieces(few);
}

[[gnu::noinline]] ssize_t Connection::send_many() {
  std::array<iovec, kPieces> many;
  return send_pieces(many);
}

[[gnu::hot]] ssize_t Connection::send_pieces(std::span<iovec> pieces) {
  for (;;) {
    const Gathered next = gather(pieces);
    if (next.count == 0) return connecting_ ? look_whether_connected() : 0;
    const ssize_t sent =
        layer_ ? layer_->send(*this, pieces.data(), next.count) : send(pieces.data(), next.count);
    if (sent == kNotYet || sent == -EINTR) return sent;
    count_sent(sent);
    if (sent < 0) return sent;
    if (next.is_all && static_cast<std::size_t>(sent) == next.size) return 0;
  }
}

void Connection::count_sent(ssize_t result) {
  if (result < 0) {
    if (cancelled()) {
      report_.error = ECANCELED;
    } else if (result == -EPIPE) {
      write_lost_ = true;
    } else {
      report_.error = static_cast<int>(-result);
    }
    return;
  }
  set_written(written() + static_cast<std::size_t>(result));
  report_.bytes_out += static_cast<std::uint64_t>(result);
}

ssize_t Connection::carry_on_write() {
  ssize_t sent;
  try {
    sent = write_error() != 0 ? -write_error() : send_more();
  } catch (const std::bad_alloc&) {
    sent = -ENOMEM;
    report_.error = ENOMEM;
  }
  if (sent == kNotYet || sent == -EINTR) return sent;
  if (report_.error != 0) {
    break_off(report_.error);
  } else {
    complete_write(write_error());
  }
  return sent;
}

void Connection::complete_write(int error) {
  berth_operation& operation = *std::exchange(write_, nullptr);
  operation.error = error;
  operation.complete(&operation);
}

}  // namespace berth
