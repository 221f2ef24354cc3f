// A connection that has a thread or a process to itself: what is pending is waited for in the
// system call that carries it out. Only where several things are waited for at once does poll(2)
// wait for the first of them.
//
// The socket blocks. Its SO_RCVTIMEO is the listener's idle_timeout, and its SO_SNDTIMEO what
// send_timeout() says. The end of a session that lasts too long comes from outside, by interrupt(),
// unless it is seen here first.
#pragma once

#include <sys/socket.h>

#include <atomic>

#include "serve/connection.hpp"
#include "serve/write_progress.hpp"

namespace berth {

class BlockingConnection final : public Connection {
 public:
  // The timers are for this connection alone, the buffers for this thread.
  BlockingConnection(SessionContext& context, AcceptedConnection accepted, TimerQueue& timers,
                     BufferPool& buffers)
      : Connection(context, std::move(accepted)), timers_(timers), buffers_(buffers) {}

  // Serves from the first byte to the last; returns when the session is over and its socket closed.
  void serve();

  // Ends it early, as a drain's deadline does: wakes a system call that waits for the client, for
  // good, and whatever it waited for is cancelled. A wait for something else is ended by
  // context.stop alone. Async-signal-safe, and safe from any thread while serve() has not returned.
  void interrupt();
  [[nodiscard]] bool interrupted() const { return interrupted_; }

  // How long a system call may wait for room before it has to be looked whether there will be any.
  [[nodiscard]] static Duration send_timeout(const ListenerSettings& settings);

 private:
  [[nodiscard]] bool open_in_time();
  void wait_for_one();
  void poll_for_first();
  [[nodiscard]] bool move_what_is_ready(short events);
  void after_call(ssize_t result);
  void on_no_room();
  [[nodiscard]] bool is_stuck(TimePoint now);
  void linger();
  [[nodiscard]] bool half_close_in_time();
  [[nodiscard]] bool drop_input();
  Received receive() override;
  ssize_t send(const iovec* pieces, std::size_t count) override;
  Lent take_buffer() override { return buffers_.take(); }
  Called make_call(berth_operation& operation) override;

  TimerQueue& timers() override { return timers_; }
  [[nodiscard]] bool cancelled() const override { return interrupted_ || Connection::cancelled(); }

  TimerQueue& timers_;
  BufferPool& buffers_;
  int flags_ = MSG_DONTWAIT;  // for the next recv or send: or 0, where there is nothing else to do

  // How long the client has been waited for in poll(2) since it last moved.
  Duration silent_for_{0};
  WriteProgress progress_;  // of the write that waits
  std::atomic<bool> interrupted_{false};
};

}  // namespace berth
