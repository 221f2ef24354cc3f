// Waits for many things at once and calls whom each concerns. One per event loop, used on that
// loop's thread only. A way of waiting (select, epoll, io_uring) is one file that implements this
// interface; those that are told of readiness share readiness_demultiplexer.hpp, and carry streams
// out with system calls of their own, while io_uring is told what the kernel has carried out.
#pragma once

#include <sys/uio.h>

#include <cstddef>

#include "base/clock.hpp"
#include "serve/stream.hpp"

namespace berth {

// Whom a descriptor concerns that its owner reads: a channel, an eventfd, a signalfd.
class Watcher {
 public:
  // There is something to read, or an error or hang-up to be seen by reading. Called again in every
  // turn for as long as there is. A hint: it may be spurious.
  virtual void on_ready() = 0;

 protected:
  ~Watcher() = default;
};

// Whom a listening socket concerns.
class AcceptWatcher : public Watcher {
 public:
  // on_ready(): connections wait to be accepted.

  // A connection that the kernel has accepted already, as a descriptor, close-on-exec; or an error
  // of accept(2), as -errno. Instead of on_ready(), under io_uring.
  virtual void on_accepted(int result) = 0;

 protected:
  ~AcceptWatcher() = default;
};

class Demultiplexer {
 public:
  virtual ~Demultiplexer() = default;

  // ---- Descriptors, at most one watch each ----

  // Starts to watch; false with errno set where the kernel refuses.
  [[nodiscard]] virtual bool add(int fd, Watcher& watcher) = 0;
  // Before the descriptor is closed. The watcher is not called any more, not even for what this
  // turn's wait has already reported.
  virtual void remove(int fd) = 0;

  // The same for a listening socket. Its watcher is told of connections while it is active, which
  // it is at first; where the kernel accepts by itself a few more may come after a pause.
  [[nodiscard]] virtual bool add_listening(int fd, AcceptWatcher& watcher) = 0;
  virtual void set_active(int listening_fd, bool active) = 0;
  // Connections that are accepted already still reach the watcher, within this call.
  virtual void remove_listening(int fd) = 0;

  // ---- Streams ----

  [[nodiscard]] virtual bool add(Stream& stream) = 0;
  // Before the socket is closed. The stream is not called any more, and the kernel uses none of the
  // memory that was given to send().
  virtual void remove(Stream& stream) = 0;
  // What has come in. kNotYet: nothing so far; the stream is called when that changes. Throws
  // std::bad_alloc.
  [[nodiscard]] virtual Received receive(Stream& stream) = 0;
  // Sends as many bytes as there is room for, and says how many, or gives an error as -errno.
  // kNotYet: the stream is called when they are sent or there is room; until then their memory must
  // stay and nothing else be sent.
  [[nodiscard]] virtual ssize_t send(Stream& stream, const iovec* pieces, std::size_t count) = 0;
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
  explicit operator bool() const { return demultiplexer_ != nullptr; }

 private:
  Demultiplexer* demultiplexer_ = nullptr;
  int fd_ = -1;
};

}  // namespace berth
