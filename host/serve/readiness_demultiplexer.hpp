// What select and epoll have in common: the kernel tells which descriptors are ready, and streams
// are carried out with recv(2) and send(2), each tried at once where it may go on.
#pragma once

#include "serve/demultiplexer.hpp"

namespace berth {

class ReadinessDemultiplexer : public Demultiplexer {
 public:
  [[nodiscard]] ssize_t receive(Stream& stream, Lent& bytes) final;
  [[nodiscard]] ssize_t send(Stream& stream, Pieces pieces) final;
  void cancel_send(Stream& stream) final;

 protected:
  // Stream::state, as bits. A read that fills less than its buffer has emptied the socket, so that
  // no second one is needed to know it; only where the peer has closed the end is still to be read,
  // and at urgent data a read stops short (man 7 tcp).
  enum : std::uint32_t {
    kReadable = 1,       // input may lie there
    kShortIsNotAll = 2,  // what a short read left is told of by nobody
    kBlocked = 4,        // a send waits for room
  };

  // To be called with what the kernel tells of a stream; calls it. The stream may be gone then.
  static void tell(Stream& stream, bool readable, bool writable, bool short_is_not_all);

  // The stream waits for input or for room from now on, or does not wait for room any more.
  virtual void want_input(Stream&) {}
  virtual void want_room(Stream&, bool) {}

 private:
  BufferPool buffers_;
};

}  // namespace berth
