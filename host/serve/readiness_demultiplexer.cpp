#include "serve/readiness_demultiplexer.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace berth {

ssize_t ReadinessDemultiplexer::receive(Stream& stream, Lent& bytes) {
  if ((stream.state & kReadable) == 0) {
    want_input(stream);
    return kNotYet;
  }
  Lent buffer = buffers_.take();
  ssize_t count;
  do count = ::recv(stream.socket(), buffer.get(), BufferPool::kBufferSize, MSG_DONTWAIT);
  while (count < 0 && errno == EINTR);
  if (count < 0) {
    const int error = errno;
    if (error != EAGAIN) return -error;
    stream.state &= ~kReadable;
    want_input(stream);
    return kNotYet;
  }
  const bool emptied = static_cast<std::size_t>(count) < BufferPool::kBufferSize;
  if (emptied && (stream.state & kShortIsNotAll) == 0) stream.state &= ~kReadable;
  if (count > 0) bytes = std::move(buffer);
  return count;
}

ssize_t ReadinessDemultiplexer::send(Stream& stream, Pieces pieces) {
  for (;;) {
    const ssize_t sent = send_pieces(stream.socket(), pieces, MSG_DONTWAIT);
    if (sent == -EINTR) continue;
    if (sent != kNotYet) return sent;
    stream.state |= kBlocked;
    want_room(stream, true);
    return kNotYet;
  }
}

void ReadinessDemultiplexer::cancel_send(Stream& stream) {
  if ((stream.state & kBlocked) == 0) return;
  stream.state &= ~kBlocked;
  want_room(stream, false);
}

void ReadinessDemultiplexer::tell(Stream& stream, bool readable, bool writable,
                                  bool short_is_not_all) {
  if (short_is_not_all) stream.state |= kShortIsNotAll;
  if (readable) stream.state |= kReadable;
  if (writable && (stream.state & kBlocked) != 0) {
    stream.state &= ~kBlocked;
    return stream.on_sent(0);
  }
  if (readable) stream.on_input();
}

}  // namespace berth
