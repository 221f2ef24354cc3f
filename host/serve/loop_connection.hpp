// A connection under an event loop: what is pending waits until the demultiplexer calls, while the
// loop serves others. Lives in the worker, on its one thread; owned by the model.
#pragma once

#include <list>
#include <memory>

#include "serve/background_pool.hpp"
#include "serve/client_set.hpp"
#include "serve/connection.hpp"
#include "serve/crash_note.hpp"
#include "serve/event_loop.hpp"

namespace berth {

class LoopConnection final : public Connection, private Stream {
 public:
  // What all connections of a loop have in common, and what they tell their owner. Both calls are
  // the last thing the connection does in a call from outside; `over` may destroy it.
  struct Owner {
    EventLoop& loop;
    BackgroundPool& background;
    BufferPool buffers;          // for layers
    bool limits_writes = false;  // whether write_waits() is to be called

    Owner(EventLoop& its_loop, BackgroundPool& its_background)
        : loop(its_loop), background(its_background) {}
    // Bytes went in or out, or the client is waited for from now on.
    virtual void moved(LoopConnection& connection) = 0;
    virtual void over(LoopConnection& connection) = 0;  // the session has ended and is closed
    virtual void write_waits() {}                       // on some connection, for its client

   protected:
    ~Owner() = default;
  };

  LoopConnection(SessionContext& context, AcceptedConnection&& accepted, Owner& owner);
  ~LoopConnection() override;

  // Registers the socket and hands the connection to the handler. False, with errno set, where it
  // cannot be registered; the connection is then good for nothing.
  [[nodiscard]] bool start();
  void begin_drain();
  // Ends what is pending with `error`, because of that limit.
  void end(int error, SessionLimit limit = SessionLimit::none);
  // What Owner::background is to call at the end of an operation that make_call() gave it.
  static void on_call_end(berth_operation& operation);
  // Whether it is the client's move: a read or a write is pending, it has not been opened yet, or
  // what a layer has to say last waits for room.
  [[nodiscard]] bool waits_for_client() const {
    return reading() || writing() || opening_ || half_closing_;
  }
  using Connection::writing;
  using Stream::socket;

  // The owner's: where it keeps this connection, and when something last happened on it.
  std::list<LoopConnection>::iterator place;
  TimePoint last_active;

  [[nodiscard]] ClientSet* clients() override { return rare_ ? rare_->clients.get() : nullptr; }
  [[nodiscard]] ClientSet& make_clients() override;

 private:
  friend class LoopClient;
  friend class LoopClientSet;

  // The handler runs only inside of these, so that every way in ends in settle().
  template <class Work>
  void run(Work work, bool counts_as_move = false);
  void settle(bool moved);
  void open_further();
  void on_open_timeout();
  void linger();
  void drop_input();
  [[nodiscard]] bool may_linger_on();

  void on_input() override;
  void on_sent(ssize_t result) override;
  void on_layer_sent(ssize_t result);
  ssize_t receive(Lent& bytes) override {
    bytes.reset();
    return owner_.loop.demultiplexer().receive(*this, bytes);
  }
  ssize_t send(Pieces pieces) override;
  void cancel_send() override;
  Lent take_buffer() override { return owner_.buffers.take(); }
  TimerQueue& timers() override { return owner_.loop.timers(); }
  void on_operation_timer(berth_operation& operation) override;

  // An event loop lets one busy session do so much in a call, and then the others have their turn.
  [[nodiscard]] bool may_go_on() override;
  void go_on_soon() override { yield(); }
  void yield();
  void go_on();

  class Later;
  // What few connections need, so that the others are small.
  struct Rare {
    std::unique_ptr<Later> later;
    std::unique_ptr<ClientSet> clients;
  };
  [[nodiscard]] Rare& rare();
  [[nodiscard]] Later& later();
  void later(TimePoint when, void (LoopConnection::*call)());
  void close();
  Called make_call(berth_operation& operation, const SessionReport& session,
                   std::shared_ptr<void> kept) override;

  // Operations that one call from the loop starts without waiting.
  static constexpr int kBurst = 128;
  // How long a client may take to close after the handler has.
  static constexpr Duration kLingerTime = std::chrono::seconds(2);

  Owner& owner_;
  std::unique_ptr<Rare> rare_;  // made when first needed
  std::uint16_t burst_ = 0;
  bool yielded_ = false;  // what is pending goes on in the next turn
  bool sending_ = false;  // on_sent() will be called
  bool opening_ = false;  // before the handler has seen it
  bool lingering_ = false;
  bool half_closing_ = false;  // has begun to linger; the client is not told yet
  bool registered_ = false;
};

template <class Work>
void LoopConnection::run(Work work, bool counts_as_move) {
  const bool waited = waits_for_client();
  const std::uint64_t bytes = report().bytes_in + report().bytes_out;
  burst_ = 0;
  set_current_session(&report());
  work();
  set_current_session(nullptr);
  if (owner_.limits_writes && writing()) owner_.write_waits();
  // A timer beside a read does not make the client any less silent, and no more does what happens
  // on a client connection.
  settle(counts_as_move || !waited || report().bytes_in + report().bytes_out != bytes);
}

}  // namespace berth
