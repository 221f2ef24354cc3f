// A connection under an event loop: what is pending waits for readiness, while the loop serves
// others. Lives in the worker, on its one thread; owned by the model.
#pragma once

#include <memory>

#include "serve/background_pool.hpp"
#include "serve/connection.hpp"
#include "serve/event_loop.hpp"

namespace berth {

class LoopConnection final : public Connection, private Watcher, private BackgroundPool::Client {
 public:
  // What the connection tells its owner. Both calls are the last thing the connection does in a
  // call from outside; `over` may destroy it.
  struct Owner {
    // Bytes went in or out, or the client is waited for from now on.
    virtual void moved(LoopConnection& connection) = 0;
    virtual void over(LoopConnection& connection) = 0;  // the session has ended and is closed
    // Where its calls in the background are made; outlives it.
    virtual BackgroundPool& background_pool() = 0;

   protected:
    ~Owner() = default;
  };

  LoopConnection(SessionContext& context, AcceptedConnection accepted, EventLoop& loop,
                 BufferPool& buffers, Owner& owner);

  // Watches the socket and hands the connection to the handler. False, with errno set, where it
  // cannot be watched; the connection is then good for nothing.
  [[nodiscard]] bool start();
  void begin_drain();
  // Ends what is pending with `error`.
  void end(int error);
  // Whether it is the client's move: a read or a write is pending.
  [[nodiscard]] bool waits_for_client() const { return reading() || writing(); }

  // The owner's: where it keeps this connection, and when something last happened on it.
  std::list<LoopConnection>::iterator place;
  TimePoint last_active;

  ~LoopConnection() override;

 private:
  // The handler runs only inside of these, so that every way in ends in settle().
  template <class Work>
  void run(Work work, bool counts_as_move = false);
  void settle(bool moved);
  void linger();
  void on_ready(bool readable, bool writable) override;
  [[nodiscard]] bool may_complete_at_once() override;

  class Later;
  void later(TimePoint when, void (LoopConnection::*call)());
  void finish_yielded_write();
  void close();
  void on_operation_timer(berth_operation& operation) override;
  Called make_call(berth_operation& operation) override;
  void on_background_end(berth_operation& operation) override;

  // Writes that one call from the loop completes without waiting.
  static constexpr int kBurst = 64;
  // How long a client may take to close after the handler has.
  static constexpr Duration kLingerTime = std::chrono::seconds(2);

  EventLoop& loop_;
  Owner& owner_;
  Watch watch_;
  std::unique_ptr<Later> later_;  // made when first needed
  int burst_ = 0;
  bool yielded_ = false;  // the pending write is done and completes in the next turn
  bool lingering_ = false;
};

}  // namespace berth
