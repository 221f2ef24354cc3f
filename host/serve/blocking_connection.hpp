// A connection that has a thread or a process to itself: what is pending is waited for in the
// system call that carries it out. Only where several things are waited for at once does poll(2)
// wait for the first of them.
//
// The socket blocks, and its SO_RCVTIMEO and SO_SNDTIMEO are the listener's idle timeout.
#pragma once

#include <sys/socket.h>

#include "serve/connection.hpp"

namespace berth {

class BlockingConnection final : public Connection {
 public:
  // The timers are for this connection alone, the buffers for this thread.
  BlockingConnection(SessionContext& context, AcceptedConnection accepted, TimerQueue& timers,
                     BufferPool& buffers)
      : Connection(context, std::move(accepted)), timers_(timers), buffers_(buffers) {}

  // Serves from the first byte to the last; returns when the session is over and its socket closed.
  // It ends early when context.stop is cancelled and interrupt() is called.
  void serve();

  // Wakes a system call that waits for the client, for good: whatever it waited for has come to an
  // end. Async-signal-safe, and safe from any thread while serve() has not returned.
  void interrupt();

 private:
  void wait_for_one();
  void poll_for_first();
  [[nodiscard]] bool move_what_is_ready(short events);
  void after_call(ssize_t result);
  void linger();
  [[nodiscard]] bool drop_input();
  Received receive() override;
  ssize_t send(const iovec* pieces, std::size_t count) override;
  Called make_call(berth_operation& operation) override;

  TimerQueue& timers() override { return timers_; }

  TimerQueue& timers_;
  BufferPool& buffers_;
  int flags_ = MSG_DONTWAIT;  // for the next recv or send: or 0, where there is nothing else to do

  // How long the client has been waited for in poll(2) since it last moved.
  Duration silent_for_{0};
};

}  // namespace berth
