// A connection's socket as an event loop sees it. Whoever embeds one asks the loop's demultiplexer
// to receive and to send, and is called when either may go on.
//
// Lives on the loop's thread, between Demultiplexer::add() and remove().
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstdint>

#include "serve/buffer_pool.hpp"
#include "serve/pieces.hpp"

namespace berth {

// What receive() and send() give where they cannot be carried out yet.
constexpr ssize_t kNotYet = -EAGAIN;

// Whether a call is to be made again later, as after kNotYet: a signal may have ended it early.
[[gnu::always_inline]] inline bool is_not_yet(ssize_t result) {
  if (result >= 0) [[likely]]
    return false;
  return result == kNotYet || result == -EINTR;
}

class Stream {
 public:
  explicit Stream(int socket) : fd_(socket) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Something may have come in since receive() said kNotYet. A hint: it may say so again.
  virtual void on_input() = 0;
  // What send() left undone since it said kNotYet: so many bytes are sent (0: there may be room
  // now, send again), or an error, as -errno.
  virtual void on_sent(ssize_t result) = 0;

  [[nodiscard]] int socket() const { return fd_; }

  std::uint32_t state = 0;  // the demultiplexer's own

 protected:
  ~Stream() = default;

 private:
  int fd_;
};

}  // namespace berth
