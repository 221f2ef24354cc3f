// A connection of the load: bytes over TCP, or over TLS upon it. Never blocks: what cannot be done
// at once fails with EAGAIN, and `awaited` tells the event to wait for.
#pragma once

#include <sys/epoll.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "base/fd.hpp"

namespace berth::bench {

class Channel {
 public:
  // Over TCP alone.
  explicit Channel(Fd socket) : socket_(std::move(socket)) {}
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  [[nodiscard]] int socket() const { return socket_.get(); }

  // True once bytes can pass. The first `send` does the same on the way.
  virtual bool open() { return true; }
  // How many bytes went, or -1 with errno set.
  virtual ssize_t send(const char* bytes, std::size_t size);
  // How many bytes came; 0 only where the server has ended the stream as it should.
  virtual ssize_t receive(char* bytes, std::size_t size);
  // The server sees the end of the stream, and can still send.
  virtual void end_sending();

  [[nodiscard]] virtual std::uint32_t awaited() const { return EPOLLOUT; }
  // Whether there is more to receive that no event will tell of.
  [[nodiscard]] virtual bool has_received_more() const { return false; }
  // Whether half a record is stuck for want of room. Of plain bytes the server sees each, and its
  // reply is the time to try again; of a record it sees nothing before it is whole.
  [[nodiscard]] virtual bool is_stuck() const { return false; }

 private:
  Fd socket_;
};

}  // namespace berth::bench
