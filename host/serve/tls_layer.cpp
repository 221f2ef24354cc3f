#include "serve/tls_layer.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace berth {

namespace {

constexpr std::size_t kRecord = 16 * 1024;  // the most that one takes (RFC 8446, 5.1)
// Encrypted at a time: so much that, with what records have around it, it fits into one buffer.
constexpr std::size_t kMostAtOnce = 60 * 1024;
// Beyond a buffer nothing is kept but what TLS says of itself. Who asks for ever more of that and
// does not read it is not served.
constexpr std::size_t kMostBehind = 256 * 1024;

}  // namespace

// ---- What OpenSSL takes and gives ----

std::size_t TlsLayer::take_in(char* to, std::size_t most) {
  const std::size_t count = std::min(most, in_end_ - in_begin_);
  if (count == 0) return 0;
  std::memcpy(to, in_.get() + in_begin_, count);
  in_begin_ += count;
  if (in_begin_ == in_end_) in_.reset();
  return count;
}

void TlsLayer::give_out(std::string_view bytes) {
  if (broken_ != 0) return;
  if (more_out_.empty()) {
    if (!out_) out_ = wire_->take_buffer();
    const std::size_t fits = std::min(bytes.size(), BufferPool::kBufferSize - out_end_);
    std::memcpy(out_.get() + out_end_, bytes.data(), fits);
    out_end_ += fits;
    bytes.remove_prefix(fits);
  }
  more_out_ += bytes;
  if (more_out_.size() > kMostBehind) break_off(ENOBUFS);
}

// ---- What has to go out ----

ssize_t TlsLayer::flush(Wire& wire) {
  while (has_output()) {
    if (broken_ != 0) return -broken_;
    const berth_bytes piece = {out_.get() + out_begin_, out_end_ - out_begin_};
    const ssize_t sent = wire.send({&piece, 1});
    if (sent >= 0) {
      count_sent(static_cast<std::size_t>(sent));
    } else {
      if (!is_not_yet(sent)) break_off(static_cast<int>(-sent));
      return sent;
    }
  }
  return broken_ != 0 ? -broken_ : 0;
}

void TlsLayer::count_sent(std::size_t sent) {
  out_begin_ += sent;
  if (out_begin_ < out_end_) return;
  out_begin_ = out_end_ = 0;
  if (more_out_.empty()) return out_.reset();
  out_end_ = more_out_.copy(out_.get(), BufferPool::kBufferSize);
  more_out_.erase(0, out_end_);
}

void TlsLayer::on_sent(ssize_t result) {
  result < 0 ? break_off(static_cast<int>(-result)) : count_sent(static_cast<std::size_t>(result));
}

// How much of a record the wire has sent may not even be known: nothing that followed could be
// understood.
void TlsLayer::cancel_send(Wire&) { break_off(EPIPE); }

void TlsLayer::break_off(int error) {
  if (wire_ != nullptr) wire_->cancel_send();  // the kernel may be reading out_
  broken_ = error;
  out_.reset();
  out_begin_ = out_end_ = 0;
  more_out_.clear();
  taken_ = 0;
}

// ---- The handshake ----

ssize_t TlsLayer::open(Wire& wire) {
  if (!session_) session_.emplace(context_, static_cast<TlsTransport&>(*this));
  for (;;) {
    wire_ = &wire;
    const Step step = session_->handshake();
    if (step == Step::failed) return fail(wire, session_->failure());
    const ssize_t flushed = flush(wire);
    if (flushed < 0 && !is_not_yet(flushed)) return flushed;
    if (step == Step::done) {
      opened_ = true;
      has_input_ = in_begin_ < in_end_;
      return 0;
    }
    if (flushed < 0) return flushed;  // nothing comes in before the other side has this
    const ssize_t got = get_input(wire);
    if (got == 0) return fail(wire, TlsFailure::of_end_in_handshake());
    if (got < 0) return got;
  }
}

// Takes what has come in, when all that came before has been decrypted.
ssize_t TlsLayer::get_input(Wire& wire) {
  const ssize_t got = wire.receive(in_);
  in_begin_ = 0;
  in_end_ = got > 0 ? static_cast<std::size_t>(got) : 0;
  return got;
}

// The other side is told, as far as that goes at once, and half_close() sees to the rest.
ssize_t TlsLayer::fail(Wire& wire, TlsFailure failure) {
  failure_ = failure;
  has_input_ = false;
  in_.reset();
  in_begin_ = in_end_ = 0;
  (void)flush(wire);
  return -EPROTO;
}

// ---- Reading and writing ----

ssize_t TlsLayer::receive(Wire& wire, Lent& bytes) {
  for (;;) {
    if (failure_) return -EPROTO;
    if (has_input_) {
      const ssize_t decrypted = decrypt(wire, bytes);
      if (decrypted != kNotYet) return decrypted;
    }
    if (ended_) return 0;
    // Answers that TLS gives by itself (to a KeyUpdate, say) may still lie here.
    if (has_output()) (void)flush(wire);
    const ssize_t got = get_input(wire);
    if (got == 0) return fail(wire, TlsFailure::of_cut_off());
    if (got < 0) return got;
    has_input_ = true;
  }
}

// As much as is there and fits into a buffer; kNotYet if that is nothing.
ssize_t TlsLayer::decrypt(Wire& wire, Lent& bytes) {
  wire_ = &wire;
  Lent plain = wire.take_buffer();
  std::size_t size = 0;
  const auto give = [&] {
    bytes = std::move(plain);
    return static_cast<ssize_t>(size);
  };
  while (has_input_ && size < BufferPool::kBufferSize) {
    std::size_t count = 0;
    switch (session_->read(plain.get() + size, BufferPool::kBufferSize - size, count)) {
      case Step::done:
        size += count;
        has_input_ = in_begin_ < in_end_ || session_->has_rest();
        break;
      case Step::wants_input:
        has_input_ = false;
        break;
      case Step::ended:
        ended_ = true;
        // The end is told by the next receive(), which needs no input for it.
        if (size > 0) return give();
        has_input_ = false;
        return 0;
      case Step::failed:
        if (size > 0) return give();  // likewise
        return fail(wire, session_->failure());
    }
  }
  return size > 0 ? give() : kNotYet;
}

ssize_t TlsLayer::send(Wire& wire, Pieces pieces) {
  for (;;) {
    if (failure_) return -EPROTO;
    if (const ssize_t flushed = flush(wire); flushed < 0) return flushed;
    if (taken_ > 0) return static_cast<ssize_t>(std::exchange(taken_, 0));
    encrypt(wire, pieces);
  }
}

// Small pieces share a record: each costs some twenty bytes, and a call for a tag.
void TlsLayer::encrypt(Wire& wire, Pieces pieces) {
  wire_ = &wire;
  if (pieces.size() == 1) {
    const berth_bytes& all = pieces.front();
    return write({all.data, std::min(all.size, kMostAtOnce)});
  }
  std::array<char, kRecord> record;
  std::size_t filled = 0;
  for (const berth_bytes& piece : pieces) {
    std::string_view rest(piece.data, piece.size);
    while (!rest.empty() && !failure_) {
      if (taken_ + filled == kMostAtOnce) return write({record.data(), filled});
      const std::size_t room = std::min(kRecord - filled, kMostAtOnce - taken_ - filled);
      const std::size_t part = rest.copy(record.data() + filled, room);
      rest.remove_prefix(part);
      filled += part;
      if (filled == kRecord) write({record.data(), std::exchange(filled, 0)});
    }
  }
  if (filled > 0) write({record.data(), filled});
}

void TlsLayer::write(std::string_view bytes) {
  if (bytes.empty() || failure_) return;
  if (session_->write(bytes) == Step::done) {
    taken_ += bytes.size();
  } else {
    failure_ = session_->failure();
  }
}

// ---- The end ----

ssize_t TlsLayer::half_close(Wire& wire) {
  if (!std::exchange(half_closed_, true) && opened_ && broken_ == 0) {
    try {  // also after the other side's end was cut off: this one need not be
      wire_ = &wire;
      session_->close_write();
    } catch (const std::bad_alloc&) {  // the other side has to do without
      break_off(ENOMEM);
    }
  }
  const ssize_t flushed = flush(wire);
  return is_not_yet(flushed) ? flushed : 0;
}

bool TlsLayer::has_last_word() const { return broken_ == 0 && (opened_ || failure_); }

std::string TlsLayer::peer_name() const { return opened_ ? session_->peer_subject() : ""; }

}  // namespace berth
