// epoll(7). Streams are registered once, edge-triggered, for all that there is to know of them, and
// watched descriptors level-triggered. What an `epoll` worker waits with, the workers whose
// sessions have processes or threads of their own, and the supervisor. Made in the process that
// uses it, and absent from those that it forks: an epoll inherited over a fork reports the parent's
// descriptors.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <vector>

#include "base/fd.hpp"
#include "base/pages.hpp"
#include "serve/readiness_demultiplexer.hpp"

namespace berth {

class EpollDemultiplexer final : public ReadinessDemultiplexer, public AbsentAfterFork {
 public:
  // Throws std::system_error where no epoll can be made.
  EpollDemultiplexer();
  [[nodiscard]] bool add(int fd, Watcher& watcher) override;
  void remove(int fd) override;
  void set_active(int fd, bool active) override;
  [[nodiscard]] bool add(Stream& stream) override;
  void remove(Stream& stream) override;
  void wait(Duration timeout) override;
  void dispatch() override;
  [[nodiscard]] int end_of_range() const override;

 private:
  // What a descriptor number stands for now. The generation tells events of what has been removed
  // from those of what has the same number later.
  struct Slot {
    void* who = nullptr;  // a Stream or a Watcher
    std::uint32_t generation = 0;
    bool is_stream = false;
  };
  [[nodiscard]] bool register_anew(int fd, void* who, bool is_stream, std::uint32_t events);
  [[nodiscard]] int control(int action, int fd, std::uint32_t events);

  static constexpr int kBatch = 256;

  Fd epoll_;
  std::array<epoll_event, kBatch> events_{};  // what the last wait() reported
  int count_ = 0;
  std::vector<Slot> slots_;  // by descriptor
};

}  // namespace berth
