// A connection that is being served, or one that a session has beside that (ClientConnection): the
// host's side of the ABI's operations, the same under every model. What differs between models is
// only how a pending operation is waited for; that is left to the classes below this one:
// LoopConnection waits in an event loop, BlockingConnection in the system call itself.
//
// Lives in the worker or, under the fork models, in the session's process; used on one thread.
#pragma once

#include <berth/abi.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "serve/layer.hpp"
#include "serve/session_context.hpp"
#include "serve/stream.hpp"
#include "serve/timers.hpp"

namespace berth {

class ClientSet;

class Connection : public berth_connection, protected Wire {
 public:
  // How what is pending is waited for: in the system call that carries it out, or by a loop.
  enum class Waits : std::uint8_t { in_call, in_loop };
  // What it borrows outlives it.
  Connection(SessionContext& context, AcceptedConnection&& accepted, Waits waits);
  // One that bytes are moved on as they are, whatever the listener's address begins with.
  Connection(SessionContext& context, Fd socket, const SessionReport& report, Waits waits);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection();

  // The ABI's functions (connection_table.cpp makes the C table of them).
  [[nodiscard]] int read(berth_operation& operation);
  [[nodiscard]] int write(berth_operation& operation);
  [[nodiscard]] int sleep(berth_operation& operation);
  [[nodiscard]] int background(berth_operation& operation);
  void finish(int outcome, std::string_view text);
  void close_write();
  void close_read();
  void log(LogLevel level, std::string_view text);
  [[nodiscard]] SessionContext& context() const { return context_; }
  [[nodiscard]] const SessionReport& report() const { return report_; }
  [[nodiscard]] SocketAddress local() const;
  // That by which the other side came, or to which it was connected.
  [[nodiscard]] Scheme scheme() const { return scheme_; }
  // "127.0.0.1:2934", and in parentheses who that is, where a certificate has said it.
  [[nodiscard]] std::string peer() const;

  // The connection that the session serves: this one, if it is not a client connection.
  [[nodiscard]] virtual Connection& session() { return *this; }
  // The session's client connections; null where it has had none, and of a client connection.
  [[nodiscard]] virtual ClientSet* clients() { return nullptr; }
  // Throws std::bad_alloc.
  [[nodiscard]] virtual ClientSet& make_clients() = 0;
  // Whether the session has been told to end at once.
  [[nodiscard]] virtual bool cancelled() const { return context_.stop.cancelled(); }
  // Whether that has come to it, or would with its next operation: later ones end with ECANCELED.
  [[nodiscard]] bool is_cut_off();

 protected:
  // What has to be done before begin(), if anything: as Layer::open().
  [[nodiscard]] ssize_t open();
  [[nodiscard]] bool has_layer() const { return layer_ != nullptr; }
  // It came to nothing before the handler saw it.
  void give_up(int error, SessionLimit limit = SessionLimit::none);
  // Hands the connection to the handler, which runs until its first operation that waits.
  void begin();
  [[nodiscard]] bool finished() const { return report_.end != SessionEnd::running; }
  // Whether the client may still be sending what nobody will read, or has to be told how the
  // session ended: see linger().
  [[nodiscard]] bool must_linger() const;
  // Half-closes, so that the client sees the end of the stream. Closing at once, with input unread,
  // would send a reset that destroys replies still on their way (man 7 tcp). False where a layer
  // has to wait for room first, to be called again then.
  [[nodiscard]] bool half_close();
  // Whether a half-close of the handler's has to wait for that, and a further attempt at it.
  [[nodiscard]] bool half_close_waits() const { return write_closed_ && !half_closed_; }
  void carry_on_half_close() {
    if (half_close_waits()) (void)half_close();
  }
  // Closes the socket as it is, and forgets what is pending.
  void drop();
  // A handler that neither waits nor finished would be forgotten: it is ended as failed.
  void end_if_forgotten();

  [[nodiscard]] bool reading() const { return read_ != nullptr; }
  [[nodiscard]] bool writing() const { return write_ != nullptr; }
  [[nodiscard]] bool sleeping() const { return operation_timers_ != nullptr; }
  [[nodiscard]] bool in_background() const { return calls_ > 0; }
  [[nodiscard]] bool read_ends_on_drain() const;

  // For the clocks of operations.
  virtual TimerQueue& timers() = 0;
  // How bytes move, the Wire's functions, is the subclass's.

  // Carry out the pending read or write as far as it goes, and complete it if it is over. The
  // answer is the last call's of receive() or send(): kNotYet, say.
  ssize_t carry_on_read();
  ssize_t carry_on_write();
  // So many more bytes of the pending write are sent; or it has failed, where less than 0.
  void count_sent(ssize_t result);
  // The drain has begun: ends a read that may end here.
  void end_read_on_drain();
  // What the session's connections have pending of that kind, this one among them.
  [[nodiscard]] bool drain_ends_a_read();
  void end_reads_on_drain();
  // Ends what is pending, and everything later, with this error; the report tells the limit that
  // was hit. Sleeps end only with ECANCELED.
  void break_off(int error, SessionLimit limit = SessionLimit::none);

  // Of one that waits in a loop, which tries a read in the call that starts it: whether the session
  // may do one thing more now. If not, the subclass carries on what is pending in a while.
  [[nodiscard]] virtual bool may_go_on() { return true; }
  void complete_write(int error);
  // Has what is pending carried on in a while, though nothing may have come in or gone out.
  virtual void go_on_soon() = 0;
  // Makes the call of a background operation for that session, at once, or elsewhere to tell
  // complete_call() when it is over; whoever sets `reserved` to null meanwhile is not told. `kept`
  // stays until then. Throws std::bad_alloc where it cannot.
  enum class Called { at_once, elsewhere };
  virtual Called make_call(berth_operation& operation, const SessionReport& session,
                           std::shared_ptr<void> kept);
  void complete_call(berth_operation& operation);
  // The time of a sleep, or of a read with a `duration`, has come: completes it.
  virtual void on_operation_timer(berth_operation& operation);

  SessionContext& context_;
  Fd socket_;  // none for a datagram, which came on a socket that others use too

 private:
  // Here, where there is room beside the socket's number: each idle connection costs what this
  // does.
  std::uint16_t calls_ = 0;        // in the background
  Scheme scheme_;                  // by which the other side came
  bool in_loop_ : 1;               // as Waits has it
  bool at_end_ : 1 = false;        // the client has closed its side
  bool write_closed_ : 1 = false;  // by the handler, or since the session is over
  bool half_closed_ : 1 = false;   // and the other side is told
  bool write_lost_ : 1 = false;    // writes end with EPIPE; what has come in can still be read
  bool read_closed_ : 1 = false;   // by the handler: a read does not wait
  bool connecting_ : 1 = false;    // what is pending is an empty write, over when it is connected

 protected:
  // Of one that waits in its calls: the next one may block, since nothing beside what is pending is
  // waited for. No more so when that is over: what the handler starts then may not be all it does.
  bool may_block_ : 1 = false;
  std::unique_ptr<Layer> layer_;  // none: bytes are moved as they are

 private:
  friend class ConnectAttempt;  // what it waits for is the session's: a clock, a call
  friend class ClientConnection;
  class OperationTimer;

  static int end_at_once(berth_operation& operation, int error);
  [[nodiscard]] int error_of_later_ones() const;
  [[nodiscard]] int write_error() const {
    return report_.error == 0 && write_lost_ ? EPIPE : report_.error;
  }
  [[nodiscard]] bool has_messages() const { return layer_ && layer_->has_messages(); }
  // Under a loop; and where a datagram is at hand, and so is the end after it.
  [[nodiscard]] bool may_read_at_once() { return in_loop_ ? may_go_on() : has_messages(); }
  int take(ssize_t received);
  [[nodiscard]] ssize_t receive_through();
  void log_failure(std::string_view why);
  ssize_t send_more();
  ssize_t send_rest();
  ssize_t send_through(Pieces pieces);
  ssize_t look_whether_connected();
  ssize_t send_message();
  // How much of the pending write is sent lies in its operation, which is the host's meanwhile.
  [[nodiscard]] std::size_t written() const {
    return reinterpret_cast<std::uintptr_t>(write_->reserved);
  }
  void set_written(std::size_t bytes) {
    // A number, through which nothing is reached.
    write_->reserved = reinterpret_cast<void*>(bytes);  // NOLINT(performance-no-int-to-ptr)
  }
  [[nodiscard]] std::size_t gather(std::span<berth_bytes> pieces) const;
  void complete_read(int error);
  void arm_timer(berth_operation& operation);
  static void drop_timer(berth_operation& operation) {
    if (operation.reserved != nullptr) [[unlikely]]
      delete_timer(operation);
  }
  static void delete_timer(berth_operation& operation);
  void cancel_sleeps(int error);

  std::unique_ptr<const Proxied> proxied_;
  SessionReport report_;  // its error: what every later operation ends with
  Lent lent_;
  berth_operation* read_ = nullptr;
  berth_operation* write_ = nullptr;
  OperationTimer* operation_timers_ = nullptr;
};

// The C table over the functions above, for all connections.
extern const berth_host kHostTable;

}  // namespace berth
