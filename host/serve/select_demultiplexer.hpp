// select(2). Level-triggered, and limited to descriptors under FD_SETSIZE: it is the number that
// counts, not how many there are (man 2 select).
#pragma once

#include <sys/select.h>

#include <array>

#include "serve/readiness_demultiplexer.hpp"

namespace berth {

class SelectDemultiplexer final : public ReadinessDemultiplexer {
 public:
  SelectDemultiplexer();
  [[nodiscard]] bool add(int fd, Watcher& watcher) override;
  void remove(int fd) override;
  void set_active(int fd, bool active) override;
  [[nodiscard]] bool add(Stream& stream) override;
  void remove(Stream& stream) override { remove(stream.socket()); }
  void wait(Duration timeout) override;
  void dispatch() override;
  [[nodiscard]] int end_of_range() const override { return FD_SETSIZE; }

 private:
  // Whom a descriptor concerns: one of the two, or nobody.
  struct Slot {
    Watcher* watcher = nullptr;
    Stream* stream = nullptr;
  };
  void want_input(Stream& stream) override { FD_SET(stream.socket(), &read_); }
  void want_room(Stream& stream, bool wanted) override;
  [[nodiscard]] bool take_place(int fd, Slot slot);
  void tell(int fd);

  fd_set read_;
  fd_set write_;
  fd_set readable_;  // what the last wait() reported
  fd_set writable_;
  int end_ = 0;  // one past the highest descriptor that was watched
  std::array<Slot, FD_SETSIZE> slots_{};
};

}  // namespace berth
