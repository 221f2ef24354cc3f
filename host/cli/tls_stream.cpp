#include "cli/tls_stream.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace berth {

namespace {

// Encrypted at a time, so that a long word is not kept twice.
constexpr std::size_t kPiece = 64 * 1024;

}  // namespace

TlsStream::TlsStream(const TlsContext& context, const std::string& host, int socket)
    : socket_(socket), session_(context, *this) {
  session_.expect(host);
}

std::size_t TlsStream::take_in(char* to, std::size_t most) {
  const std::size_t count = in_.copy(to, most);
  in_.erase(0, count);
  return count;
}

// 0 once nothing is left to be sent, or what keeps it from that, as errno has it.
int TlsStream::flush() {
  while (!out_.empty()) {
    const ssize_t sent = ::send(socket_, out_.data(), out_.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno;
    out_.erase(0, static_cast<std::size_t>(sent));
  }
  return 0;
}

// Likewise: 0 once something more is there. The end of the stream without close_notify is an error:
// somebody may have cut it off.
int TlsStream::get_input() {
  std::array<char, 65536> buffer;
  const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (count < 0) return errno;
  if (count == 0) {
    failure_ = TlsFailure::of_cut_off();
    return EPROTO;
  }
  in_.append(buffer.data(), static_cast<std::size_t>(count));
  return 0;
}

TlsStream::Shaken TlsStream::shake_hands() {
  for (;;) {
    const TlsSession::Step step = session_.handshake();
    const int flushed = flush();
    if (step == TlsSession::Step::done) return Shaken::done;
    if (step != TlsSession::Step::wants_input) {
      failure_ = session_.failure();
      return Shaken::failed;
    }
    if (flushed == EAGAIN || flushed == EINTR) return Shaken::not_yet;
    const int got = get_input();
    if (got == EAGAIN || got == EINTR) return Shaken::not_yet;
    if (got != 0) {
      failure_ = TlsFailure::of_end_in_handshake();
      return Shaken::failed;
    }
  }
}

ssize_t TlsStream::send(std::string_view bytes) {
  if ((errno = flush()) != 0) return -1;
  const std::string_view piece = bytes.substr(0, kPiece);
  if (session_.write(piece) != TlsSession::Step::done) {
    failure_ = session_.failure();
    errno = EPROTO;
    return -1;
  }
  const int flushed = flush();
  if (flushed != 0 && flushed != EAGAIN && flushed != EINTR) {
    errno = flushed;
    return -1;
  }
  return static_cast<ssize_t>(piece.size());
}

ssize_t TlsStream::receive(char* to, std::size_t room) {
  for (;;) {
    std::size_t count = 0;
    switch (session_.read(to, room, count)) {
      case TlsSession::Step::done:
        return static_cast<ssize_t>(count);
      case TlsSession::Step::ended:
        in_.clear();
        return 0;
      case TlsSession::Step::failed:
        failure_ = session_.failure();
        in_.clear();
        errno = EPROTO;
        return -1;
      case TlsSession::Step::wants_input:
        (void)flush();
        if ((errno = get_input()) != 0) return -1;
    }
  }
}

void TlsStream::close_for_sending() {
  session_.close_write();
  (void)flush();
}

}  // namespace berth
