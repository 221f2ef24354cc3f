// What lies between a connection's operations and its socket where that is more than to move bytes:
// TLS, or a datagram that came as a whole. Written once for all models: it moves bytes with the
// functions of the connection it belongs to, which wait or say kNotYet as its model has it.
//
// Owned by its connection; used on the session's thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "net/address.hpp"
#include "net/tls_failure.hpp"
#include "serve/stream.hpp"

namespace berth {

// The connection as its layer sees it.
class Wire {
 public:
  // As Demultiplexer::receive() and send(); -EINTR may come too, and means the same as kNotYet.
  // What `bytes` held is given back, or used again.
  virtual ssize_t receive(Lent& bytes) = 0;
  virtual ssize_t send(Pieces pieces) = 0;
  // Takes back a send() that said kNotYet.
  virtual void cancel_send() {}
  // To be called by a layer that sends otherwise than by send(): what it left undone may go on.
  virtual void on_sent(ssize_t /*result*/) {}
  // BufferPool::kBufferSize bytes, for what a layer makes of what it moves. Throws std::bad_alloc.
  virtual Lent take_buffer() = 0;

 protected:
  ~Wire() = default;
};

class Layer {
 public:
  virtual ~Layer() = default;

  // Before the handler sees the connection: 0 when it may; kNotYet where more has to come in or to
  // go out first, to be called again then; or an error as -errno. Throws std::bad_alloc.
  [[nodiscard]] virtual ssize_t open(Wire& wire) = 0;
  // Of open(), when it said kNotYet: whether it waits for room to send, and not for input.
  [[nodiscard]] virtual bool wants_room() const { return false; }

  // Like the wire's, in their place: of what the handler reads and writes. A message may be empty:
  // then it is 0 bytes, and `bytes` is set; at the end of the stream it is not.
  [[nodiscard]] virtual ssize_t receive(Wire& wire, Lent& bytes) = 0;
  [[nodiscard]] virtual ssize_t send(Wire& wire, Pieces pieces) = 0;
  // Whether receive() has something to give without anything coming in.
  [[nodiscard]] virtual bool has_input() const { return false; }
  // Whether each send() is a message: it is given all at once, also where there is nothing in it,
  // and goes as a whole.
  [[nodiscard]] virtual bool has_messages() const { return false; }
  // Of a send() that said kNotYet where the connection has no socket of its own to be waited for:
  // when to try again.
  [[nodiscard]] virtual Duration retry_after() { return {}; }
  // The address on which the client came, where it is not that of the connection's socket.
  [[nodiscard]] virtual std::optional<SocketAddress> local() const { return std::nullopt; }
  // A send() of the handler's that said kNotYet is given up: its memory is not used any more.
  virtual void cancel_send(Wire& wire) { wire.cancel_send(); }
  // The wire has sent so many bytes of what send() left undone, or failed with -errno. What of that
  // is the handler's is told by the next send().
  virtual void on_sent(ssize_t /*result*/) {}

  // The handler has nothing more to write: tells the other side. 0 when that is done, or cannot be;
  // kNotYet (or -EINTR) where it has to be called again when there is room.
  [[nodiscard]] virtual ssize_t half_close(Wire& wire) = 0;
  // Whether half_close() has something to tell even where the other side has closed its own, or
  // where open(), receive() or send() has ended in EPROTO.
  [[nodiscard]] virtual bool has_last_word() const { return false; }

  // Who is at the other end, beyond the address; "" where it knows no more.
  [[nodiscard]] virtual std::string peer_name() const { return {}; }
  // Why it gave EPROTO.
  [[nodiscard]] virtual TlsFailure failure() const { return {}; }
};

}  // namespace berth
