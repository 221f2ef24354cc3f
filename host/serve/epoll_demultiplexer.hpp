// epoll(7), level-triggered: what the supervisor waits with, and the workers whose sessions have
// processes or threads of their own. Made in the process that uses it: an epoll inherited over a
// fork reports the parent's descriptors.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <vector>

#include "base/fd.hpp"
#include "serve/demultiplexer.hpp"

namespace berth {

class EpollDemultiplexer final : public Demultiplexer {
 public:
  // Throws std::system_error where no epoll can be made.
  EpollDemultiplexer();
  [[nodiscard]] bool add(int fd, Watcher& watcher, Interest interest) override;
  void set_interest(int fd, Interest interest) override;
  void remove(int fd) override;
  void wait(Duration timeout) override;
  void dispatch() override;
  [[nodiscard]] int end_of_range() const override;

 private:
  // What a descriptor number stands for now. The generation tells events of a watch that has been
  // removed from those of a later watch of the same number.
  struct Slot {
    Watcher* watcher = nullptr;
    std::uint32_t generation = 0;
  };
  [[nodiscard]] int control(int action, int fd, Interest interest);

  static constexpr int kBatch = 128;

  Fd epoll_;
  std::array<epoll_event, kBatch> events_{};  // what the last wait() reported
  int count_ = 0;
  std::vector<Slot> slots_;  // by descriptor
};

}  // namespace berth
