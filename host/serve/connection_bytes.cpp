// The part of Connection that moves bytes: what is read into a pending read, and what is left of a
// pending write.
#include <algorithm>
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
  ssize_t received;
  if (layer_) [[unlikely]] {
    lent_.reset();
    received = layer_->receive(*this, lent_);
  } else {
    received = receive(lent_);
  }
  return is_not_yet(received) && read_closed_ ? 0 : received;
}

// Fills in the pending read, which is not completed yet; the answer is its error.
[[gnu::hot]] int Connection::take(ssize_t received) {
  if (lent_) [[likely]] {
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
  if (is_not_yet(received)) return received;
  const int error = take(received);
  if (error != 0) [[unlikely]] {
    break_off(error);
  } else {
    complete_read(0);
  }
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
  may_block_ = false;
  berth_operation& operation = *std::exchange(read_, nullptr);
  drop_timer(operation);
  operation.error = error;
  operation.complete(&operation);
}

// ---- Writing ----

inline ssize_t Connection::send_through(Pieces pieces) {
  ssize_t sent;
  if (layer_) [[unlikely]] {
    sent = layer_->send(*this, pieces);
  } else {
    sent = send(pieces);
  }
  if (!is_not_yet(sent)) count_sent(sent);
  return sent;
}

// As send_more(), of a write that is a message.
ssize_t Connection::send_message() {
  const auto& [parts, count] = write_->bytes.write;
  const ssize_t sent = send_through({parts, count});
  return sent < 0 ? sent : 0;
}

// In one system call; well under IOV_MAX.
constexpr std::size_t kMostPieces = 64;

// Sends what is left of the pending write, as far as it goes: 0 once nothing is, or what stopped
// it.
[[gnu::hot]] ssize_t Connection::send_more() {
  if (has_messages()) [[unlikely]]
    return send_message();
  const auto& [parts, count] = write_->bytes.write;
  if (written() == 0 && count <= kMostPieces) [[likely]] {
    const Pieces all(parts, count);
    if (are_longer(all, 0)) [[likely]] {
      const ssize_t sent = send_through(all);
      if (sent < 0) [[unlikely]] {
        return sent;
      }
      if (!are_longer(all, static_cast<std::size_t>(sent))) [[likely]] {
        return 0;
      }
    }
  }
  return send_rest();
}

// What is left of the pending write, in so many pieces or fewer.
std::size_t Connection::gather(std::span<berth_bytes> pieces) const {
  const auto& [parts, count] = write_->bytes.write;
  std::size_t gathered = 0;
  std::size_t done = written();
  for (std::size_t part = 0; part < count && gathered < pieces.size(); ++part) {
    const berth_bytes& bytes = parts[part];
    if (bytes.size > done) pieces[gathered++] = {bytes.data + done, bytes.size - done};
    done -= std::min(done, bytes.size);
  }
  return gathered;
}

// Apart: room for the pieces is a second page of stack, which a session's process has to copy.
[[gnu::noinline]] ssize_t Connection::send_rest() {
  std::array<berth_bytes, kMostPieces> pieces;
  for (;;) {
    const std::size_t count = gather(pieces);
    if (count == 0) return connecting_ ? look_whether_connected() : 0;
    const ssize_t sent = send_through({pieces.data(), count});
    if (sent < 0) return sent;
  }
}

void Connection::count_sent(ssize_t result) {
  if (result < 0) [[unlikely]] {
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
  if (is_not_yet(sent)) return sent;
  if (report_.error != 0) {
    break_off(report_.error);
  } else {
    complete_write(write_error());
  }
  return sent;
}

void Connection::complete_write(int error) {
  may_block_ = false;
  berth_operation& operation = *std::exchange(write_, nullptr);
  operation.error = error;
  operation.complete(&operation);
}

}  // namespace berth
