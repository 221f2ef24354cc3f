// A connection that is being served: the host's side of the ABI's operations, the same under every
// model. What differs between models is only how a pending operation is waited for; that is left to
// the two classes below this one: LoopConnection waits in an event loop, BlockingConnection in the
// system call itself.
//
// Lives in the worker or, under the fork models, in the session's process; used on one thread.
#pragma once

#include <berth/abi.h>
#include <sys/uio.h>

#include <list>
#include <string_view>

#include "serve/buffer_pool.hpp"
#include "serve/session_context.hpp"
#include "serve/timers.hpp"

namespace berth {

class Connection : public berth_connection {
 public:
  // What it borrows outlives it.
  Connection(SessionContext& context, AcceptedConnection accepted, TimerQueue& timers,
             BufferPool& buffers);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection();

  // The ABI's functions (connection_table.cpp makes the C table of them).
  [[nodiscard]] int read(berth_operation& operation);
  [[nodiscard]] int write(berth_operation& operation);
  [[nodiscard]] int sleep(berth_operation& operation);
  [[nodiscard]] int background(berth_operation& operation);
  void finish(int outcome, std::string_view text);
  void log(LogLevel level, std::string_view text);
  [[nodiscard]] SessionContext& context() const { return context_; }
  [[nodiscard]] const SessionReport& report() const { return report_; }
  [[nodiscard]] SocketAddress local() const;

 protected:
  // Hands the connection to the handler, which runs until its first operation that waits.
  void begin();
  [[nodiscard]] bool finished() const { return report_.end != SessionEnd::running; }
  // Whether the client may still be sending what nobody will read: see linger().
  [[nodiscard]] bool must_linger() const { return finished() && !at_end_ && error_ == 0; }
  // Half-closes, so that the client sees the end of the stream. Closing at once, with input unread,
  // would send a reset that destroys replies still on their way (man 7 tcp).
  void half_close();
  // Reads and drops what the client still sends; true when it has closed, or can wait no longer.
  [[nodiscard]] bool drop_input();
  // A handler that neither waits nor finished would be forgotten: it is ended as failed.
  void end_if_forgotten();

  [[nodiscard]] bool reading() const { return read_ != nullptr; }
  [[nodiscard]] bool writing() const { return write_ != nullptr; }
  [[nodiscard]] bool sleeping() const { return !timers_of_operations_.empty(); }
  [[nodiscard]] bool in_background() const { return calls_ > 0; }
  [[nodiscard]] bool read_ends_on_drain() const;

  // Carries out the pending read or write as far as it goes, with these flags in the system call
  // (MSG_DONTWAIT or 0), and completes it if it is over.
  enum class Progress { made, blocked, interrupted };
  Progress carry_on_read(int flags);
  Progress carry_on_write(int flags);
  // The drain has begun: ends a read that may end here.
  void end_read_on_drain();
  // Ends what is pending, and everything later, with this error. Sleeps end only when cancelled.
  void break_off(int error);

  // Whether a write that could be carried out at once may also complete at once. An event loop says
  // no after a while, so that one busy session does not hold up the others; it then calls
  // complete_write() in its next turn.
  [[nodiscard]] virtual bool may_complete_at_once() { return true; }
  void complete_write(int error);
  // Makes the call of a background operation, at once, or elsewhere to tell complete_call() when it
  // is over. Throws std::bad_alloc where it cannot.
  enum class Called { at_once, elsewhere };
  virtual Called make_call(berth_operation& operation) = 0;
  void complete_call(berth_operation& operation);
  // The time of a sleep, or of a read with a `duration`, has come: completes it.
  virtual void on_operation_timer(berth_operation& operation);

  SessionContext& context_;
  Fd socket_;

 private:
  class OperationTimer;
  enum class Sent { all, some, blocked, interrupted, failed };

  int refuse(berth_operation& operation, int error);
  [[nodiscard]] int error_of_later_ones() const;
  Sent send_more(int flags);
  std::size_t gather(iovec* pieces, std::size_t room) const;
  void advance(std::size_t sent);
  void complete_read(int error);
  void arm_timer(berth_operation& operation);
  void drop_timer(berth_operation& operation);
  void cancel_sleeps(int error);
  void take_back_buffer();

  SessionReport report_;
  TimerQueue& timers_;
  BufferPool& buffers_;
  BufferPool::Buffer lent_;
  berth_operation* read_ = nullptr;
  berth_operation* write_ = nullptr;
  std::size_t write_part_ = 0;    // the first part of write_ that is not sent whole,
  std::size_t write_offset_ = 0;  // and how much of it is
  std::list<OperationTimer> timers_of_operations_;
  unsigned calls_ = 0;   // in the background
  int error_ = 0;        // what every later operation ends with
  bool at_end_ = false;  // the client has closed its side
};

// The C table over the functions above, for all connections.
extern const berth_host kHostTable;

}  // namespace berth
