// What the log is told of connections that a worker refuses, of which there may be thousands a
// second: the first at once, and those that follow within ten seconds in one line together.
#pragma once

#include <cstdint>
#include <functional>

#include "net/address.hpp"
#include "serve/event_loop.hpp"

namespace berth {

class RefusalLog {
 public:
  // Those that were not told of at once.
  struct Rest {
    std::uint64_t count;
    std::chrono::seconds within;  // since the last line
    Peer last;
  };
  // `tell_rest` writes a line. The loop outlives this.
  RefusalLog(EventLoop& loop, std::function<void(const Rest&)> tell_rest);
  RefusalLog(const RefusalLog&) = delete;
  RefusalLog& operator=(const RefusalLog&) = delete;
  // Tells the rest.
  ~RefusalLog() { tell(); }

  // One is refused: true if the caller is to write a line of it now, else it is one of the rest.
  [[nodiscard]] bool tells_at_once(const Peer& peer);

 private:
  void tell();
  void be_quiet();

  EventLoop& loop_;
  std::function<void(const Rest&)> tell_rest_;
  CallTimer quiet_;  // armed: a line was written a moment ago
  std::uint64_t count_ = 0;
  Peer last_;
  TimePoint said_;
};

}  // namespace berth
