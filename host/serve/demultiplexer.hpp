// Waits for many things at once and calls whom each concerns. One per event loop, used on that
// loop's thread and by its guests. A way of waiting (select, epoll, io_uring) is one file that
// implements this interface; those that are told of readiness share readiness_demultiplexer.hpp,
// and carry streams out with system calls of their own, while io_uring is told what the kernel has
// carried out.
#pragma once

#include <cstddef>

#include "base/clock.hpp"
#include "serve/stream.hpp"

namespace berth {

// Whom a descriptor concerns that its owner reads: a channel, an eventfd, a listening socket.
class Watcher {
 public:
  // There is something to read, or an error or hang-up to be seen by reading. Called again in every
  // turn for as long as there is. A hint: it may be spurious.
  virtual void on_ready() = 0;

 protected:
  ~Watcher() = default;
};

class Demultiplexer {
 public:
  virtual ~Demultiplexer() = default;

  // ---- Descriptors, at most one watch each ----

  // Starts to watch; false with errno set where the kernel refuses.
  [[nodiscard]] virtual bool add(int fd, Watcher& watcher) = 0;
  // Whether its watcher is called, as it is at first.
  virtual void set_active(int fd, bool active) = 0;
  // Before the descriptor is closed. The watcher is not called any more, not even for what this
  // turn's wait has already reported.
  virtual void remove(int fd) = 0;

  // ---- Streams ----

  [[nodiscard]] virtual bool add(Stream& stream) = 0;
  // Before the socket is closed. The stream is not called any more, and the kernel uses none of the
  // memory that was given to send().
  virtual void remove(Stream& stream) = 0;
  // Lends in `bytes`, where nothing is yet, what has come in, and says how much that is. Nothing is
  // lent at the end of the stream, which is 0, and at an error, -errno. kNotYet: nothing so far;
  // the stream is called when that changes. Throws std::bad_alloc.
  [[nodiscard]] virtual ssize_t receive(Stream& stream, Lent& bytes) = 0;
  // Sends as many bytes as there is room for, and says how many, or gives an error as -errno.
  // kNotYet: the stream is called when they are sent or there is room; until then their memory must
  // stay and nothing else be sent.
  [[nodiscard]] virtual ssize_t send(Stream& stream, Pieces pieces) = 0;
  // Takes back a send() that said kNotYet: the stream is not called, and its memory is free.
  virtual void cancel_send(Stream& stream) = 0;

  // ---- A turn ----

  // Waits until something is to be told, at most `timeout` (kUnlimited: for ever). A signal ends
  // the wait early.
  virtual void wait(Duration timeout) = 0;
  // Calls whom it concerns what the last wait() reported.
  virtual void dispatch() = 0;

  // Descriptors from here on cannot be watched.
  [[nodiscard]] virtual int end_of_range() const = 0;
};

// A registration of a descriptor; its end removes it. The demultiplexer outlives it.
class Watch {
 public:
  Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { stop(); }

  [[nodiscard]] bool start(Demultiplexer& demultiplexer, int fd, Watcher& watcher) {
    stop();
    if (!demultiplexer.add(fd, watcher)) return false;
    demultiplexer_ = &demultiplexer;
    fd_ = fd;
    return true;
  }
  void stop() {
    if (demultiplexer_ != nullptr) demultiplexer_->remove(fd_);
    demultiplexer_ = nullptr;
  }
  void set_active(bool active) {
    if (demultiplexer_ != nullptr) demultiplexer_->set_active(fd_, active);
  }
  explicit operator bool() const { return demultiplexer_ != nullptr; }

 private:
  Demultiplexer* demultiplexer_ = nullptr;
  int fd_ = -1;
};

}  // namespace berth
