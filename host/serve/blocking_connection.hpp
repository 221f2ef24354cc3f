// A connection that has a thread or a process to itself: what is pending is waited for in the
// system call that carries it out. Only where several things are waited for at once, and where the
// session has client connections, does poll(2) wait for the first of them.
//
// The socket blocks. Its SO_SNDTIMEO is WriteProgress::interval(). Where it waits in poll(2) it
// looks at the clock itself; that a receive has waited for longer than idle_timeout it is told from
// outside (end_if_silent()), and so it is that the session has lasted too long (interrupt()).
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <span>
#include <vector>

#include "serve/client_set.hpp"
#include "serve/connection.hpp"
#include "serve/idle_watch.hpp"
#include "serve/write_progress.hpp"

namespace berth {

// As Wire::receive(), with the flags of recv(2), into the buffer that `bytes` holds already.
[[nodiscard]] inline ssize_t receive_from(int socket, Lent& bytes, int flags) {
  const ssize_t count = ::recv(socket, bytes.get(), BufferPool::kBufferSize, flags);
  if (count > 0) [[likely]] {
    return count;
  }
  const ssize_t result = count == 0 ? 0 : -errno;
  bytes.reset();
  return result;
}

class BlockingConnection final : public Connection {
 public:
  // The timers are for this connection alone, the buffers for this thread. In `wait` it is noted
  // when the client is waited for.
  BlockingConnection(SessionContext& context, AcceptedConnection&& accepted, TimerQueue& timers,
                     BufferPool& buffers, ClientWait& wait)
      : Connection(context, std::move(accepted), Waits::in_call),
        timers_(timers),
        buffers_(buffers),
        wait_(wait) {}

  // Serves from the first byte to the last; returns when the session is over and its socket closed.
  void serve();

  // Ends it early, as a drain's deadline does: wakes a system call that waits for the client, for
  // good, and whatever it waited for is cancelled. A wait for something else is ended by
  // context.stop alone. Async-signal-safe, and safe from any thread while serve() has not returned.
  void interrupt();
  [[nodiscard]] bool interrupted() const { return interrupted_; }
  // Both on the session's thread, also from the handler of a signal that restarts the receive
  // which it interrupts (SA_RESTART): this goes on under a timeout of the socket's, as man 7 socket
  // has it. If the wait has been given up (ClientWait), that is over at once: what has come is
  // taken all the same, and if nothing has, the session ends for its client's silence.
  void end_if_silent();
  // From now on idle_timeout is that of the socket, where nobody is left to watch it.
  void watch_silence();

  // What this thread serves, for handlers of signals; whoever serves on it sets this, and null
  // between connections. It lies with the thread's own data, a page that a fork writes to anyway.
  static constinit thread_local BlockingConnection* on_this_thread;

  [[nodiscard]] ClientSet* clients() override { return clients_.get(); }
  [[nodiscard]] ClientSet& make_clients() override;
  [[nodiscard, gnu::hot]] bool cancelled() const override {
    return interrupted_ || Connection::cancelled();
  }

 private:
  friend class BlockingClient;
  friend class BlockingClientSet;
  [[nodiscard]] bool open_in_time();
  void wait_for_one();
  void go_on();
  void poll_for_first();
  [[nodiscard]] std::span<pollfd> with_clients(std::span<pollfd> own);
  [[nodiscard]] bool move_what_is_ready(short events);
  void move_ready_clients();
  void reserve_polled(std::size_t clients);
  void after_call(ssize_t result);
  void on_no_room();
  void wait_after_all();
  void linger();
  [[nodiscard]] bool half_close_in_time();
  [[nodiscard]] bool drop_input();
  ssize_t receive(Lent& bytes) override;
  ssize_t send(Pieces pieces) override;
  Lent take_buffer() override { return buffers_.take(); }
  TimerQueue& timers() override { return timers_; }
  void go_on_soon() override { goes_on_ = true; }

  TimerQueue& timers_;
  BufferPool& buffers_;
  ClientWait& wait_;
  bool goes_on_ = false;  // what is pending is to be carried on before anything is waited for
  std::atomic<bool> interrupted_{false};
  std::atomic<bool> given_up_{false};  // the receive that waits, by end_if_silent()
  std::atomic<bool> watches_itself_{false};
  std::unique_ptr<ClientSet> clients_;  // made when first needed
  // How long the client has been waited for in poll(2) since it last moved.
  Duration silent_for_{0};
  WriteProgress progress_;  // of the write that waits
  // What poll(2) was given where there are any, this connection's own first, and whose the rest is.
  std::vector<pollfd> polled_;
  std::vector<ClientConnection*> polled_clients_;
};

}  // namespace berth
