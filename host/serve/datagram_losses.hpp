// Datagrams that never become sessions: those that the kernel drops because nobody took them soon
// enough, and those that are too long. Counted, and told to the log in one line for all in a while.
// Lives in the worker, beside the acceptor.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/log.hpp"
#include "serve/datagram_socket.hpp"
#include "serve/event_loop.hpp"

namespace berth {

class DatagramLosses {
 public:
  // Both outlive it.
  DatagramLosses(EventLoop& loop, Log& log);
  // Tells the rest.
  ~DatagramLosses();

  // What is lost there from now on.
  void watch(std::shared_ptr<DatagramSocket> socket);
  // Tells the rest, and lets the sockets go.
  void stop();
  // So many wait that some may be dropped: looks in a moment whether they were.
  void look_soon();
  // One was longer than there is room for, and half a message is none.
  void count_too_long();

 private:
  struct Watched {
    std::shared_ptr<DatagramSocket> socket;
    std::uint32_t dropped;  // by the kernel, as far as it was told
  };

  void tell();

  EventLoop& loop_;
  Log& log_;
  CallTimer look_;
  std::vector<Watched> watched_;
  std::uint64_t too_long_ = 0;  // not told yet
  TimePoint told_ = TimePoint::min();
};

}  // namespace berth
