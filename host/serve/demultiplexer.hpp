// Waits for many descriptors at once and calls whom each concerns. One per event loop, used on that
// loop's thread only. A way of waiting (select, epoll) is one file that implements this interface.
#pragma once

#include "base/clock.hpp"

namespace berth {

struct Interest {
  bool read = false;
  bool write = false;
  bool operator==(const Interest&) const = default;
};

// Whom readiness concerns. Readiness is a hint: a call may be spurious, so sockets are non-blocking
// or read with MSG_DONTWAIT. Errors and hang-ups show as readable and writable.
class Watcher {
 public:
  virtual void on_ready(bool readable, bool writable) = 0;

 protected:
  ~Watcher() = default;
};

class Demultiplexer {
 public:
  virtual ~Demultiplexer() = default;

  // Starts to watch; false with errno set where the kernel refuses. At most one watch a descriptor.
  [[nodiscard]] virtual bool add(int fd, Watcher& watcher, Interest interest) = 0;
  virtual void set_interest(int fd, Interest interest) = 0;
  // Before the descriptor is closed. The watcher is not called any more, not even for what this
  // turn's wait has already reported.
  virtual void remove(int fd) = 0;

  // Waits until something is ready, at most `timeout` (kUnlimited: for ever). A signal ends the
  // wait early.
  virtual void wait(Duration timeout) = 0;
  // Calls the watchers of what the last wait() reported.
  virtual void dispatch() = 0;

  // Descriptors from here on cannot be watched.
  [[nodiscard]] virtual int end_of_range() const = 0;
};

// A registration; its end removes it. The demultiplexer outlives it.
class Watch {
 public:
  Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { stop(); }

  [[nodiscard]] bool start(Demultiplexer& demultiplexer, int fd, Watcher& watcher,
                           Interest interest) {
    stop();
    if (!demultiplexer.add(fd, watcher, interest)) return false;
    demultiplexer_ = &demultiplexer;
    fd_ = fd;
    interest_ = interest;
    return true;
  }
  void stop() {
    if (demultiplexer_ != nullptr) demultiplexer_->remove(fd_);
    demultiplexer_ = nullptr;
  }
  void set_interest(Interest interest) {
    if (demultiplexer_ == nullptr || interest == interest_) return;
    interest_ = interest;
    demultiplexer_->set_interest(fd_, interest);
  }
  explicit operator bool() const { return demultiplexer_ != nullptr; }

 private:
  Demultiplexer* demultiplexer_ = nullptr;
  int fd_ = -1;
  Interest interest_;
};

}  // namespace berth
