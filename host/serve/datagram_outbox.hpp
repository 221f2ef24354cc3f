// Datagrams that wait to be sent on one socket of an event loop: all that are written in a turn go
// out in one system call at its end. Lives on the loop's thread.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "serve/event_loop.hpp"

namespace berth {

// One of them, embedded in who sends it.
class OutgoingDatagram {
 public:
  // It is sent, so many bytes of it, or never will be: -errno. May send again, and may destroy it.
  virtual void on_gone(ssize_t result) = 0;

  msghdr message{};  // with all that it points to it stays until on_gone() or cancel()

 protected:
  ~OutgoingDatagram() = default;
};

class DatagramOutbox final : public TurnEnd, public std::enable_shared_from_this<DatagramOutbox> {
 public:
  // How soon the kernel is asked again that had no room: doubled each time, up to the second.
  static constexpr Duration kFirstRetry = std::chrono::milliseconds(1);
  static constexpr Duration kLastRetry = std::chrono::milliseconds(64);

  // The socket, which is open for as long as anybody sends, is one of UDP or a Unix socket; the
  // loop outlives this.
  DatagramOutbox(EventLoop& loop, int socket, bool is_unix);
  ~DatagramOutbox();

  // Throws std::bad_alloc.
  void send(OutgoingDatagram& datagram);
  // It is forgotten, wherever it is.
  void cancel(const OutgoingDatagram& datagram);
  // Sends what waits, and tells what became of it.
  void flush();
  void on_turn_end() override;

 private:
  struct Waiting {
    OutgoingDatagram* datagram;  // null once it was told, or is cancelled
    ssize_t result;              // kNotYet until it is gone
  };

  void send_first(std::size_t count);
  [[nodiscard]] std::size_t send_some(std::size_t begin, std::size_t end);
  [[nodiscard]] std::size_t send_batch(std::size_t begin, std::size_t end);
  void tell_first(std::size_t count);

  EventLoop& loop_;
  const int socket_;
  const bool is_unix_;
  std::vector<Waiting> waiting_;
  bool at_turn_end_ = false;  // on_turn_end() is to come
  CallTimer retry_;
  Duration next_retry_ = kFirstRetry;
};

}  // namespace berth
