// select(2). Level-triggered, and limited to descriptors under FD_SETSIZE: it is the number that
// counts, not how many there are (man 2 select).
#pragma once

#include <sys/select.h>

#include <array>

#include "serve/demultiplexer.hpp"

namespace berth {

class SelectDemultiplexer final : public Demultiplexer {
 public:
  SelectDemultiplexer();
  [[nodiscard]] bool add(int fd, Watcher& watcher, Interest interest) override;
  void set_interest(int fd, Interest interest) override;
  void remove(int fd) override;
  void wait(Duration timeout) override;
  void dispatch() override;
  [[nodiscard]] int end_of_range() const override { return FD_SETSIZE; }

 private:
  fd_set read_;
  fd_set write_;
  fd_set readable_;  // what the last wait() reported
  fd_set writable_;
  int end_ = 0;  // one past the highest descriptor that was watched
  std::array<Watcher*, FD_SETSIZE> watchers_{};
};

}  // namespace berth
