// A connection that has a thread or a process to itself: what is pending is waited for in the
// system call that carries it out. Only where several things are waited for at once does poll(2)
// wait for the first of them.
//
// The socket blocks, and its SO_RCVTIMEO and SO_SNDTIMEO are the listener's idle timeout.
#pragma once

#include "serve/connection.hpp"

namespace berth {

class BlockingConnection final : public Connection {
 public:
  // The timers are for this connection alone.
  using Connection::Connection;

  // Serves from the first byte to the last; returns when the session is over and its socket closed.
  // It ends early when context.stop is cancelled and interrupt() is called.
  void serve(TimerQueue& timers);

  // Wakes a system call that waits for the client, for good: whatever it waited for has come to an
  // end. Async-signal-safe, and safe from any thread while serve() has not returned.
  void interrupt();

 private:
  void wait_for_one(TimerQueue& timers);
  void poll_for_first(TimerQueue& timers);
  void after_progress(Progress progress);
  void linger();
  Called make_call(berth_operation& operation) override;

  // How long the client has been waited for in poll(2) since it last moved.
  Duration silent_for_{0};
};

}  // namespace berth
