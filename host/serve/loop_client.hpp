// A client connection under an event loop: beside its session's connection on the same thread, each
// with a registration of its own. Whatever happens on it is the session's affair: its handler runs
// in the same way, and has the same turn.
#pragma once

#include "serve/client_connection.hpp"
#include "serve/loop_connection.hpp"

namespace berth {

class LoopClient final : public ClientConnection, private Stream {
 public:
  LoopClient(LoopConnection& session, Fd socket, const Peer& peer);
  ~LoopClient() override { unwatch(); }

  // False, with errno set, where the demultiplexer cannot watch it.
  [[nodiscard]] bool watch();
  void go_on() override;

 private:
  void unwatch() override;
  void give_up_write() override;
  void on_input() override;
  void on_sent(ssize_t result) override;
  ssize_t receive(Lent& bytes) override;
  ssize_t send(Pieces pieces) override;
  void cancel_send() override;
  TimerQueue& timers() override;
  void go_on_soon() override { session_.yield(); }
  void on_operation_timer(berth_operation& operation) override;
  [[nodiscard]] bool may_go_on() override { return session_.may_go_on(); }
  [[nodiscard]] Demultiplexer& demultiplexer() { return session_.owner_.loop.demultiplexer(); }

  LoopConnection& session_;
  bool watched_ = false;
  bool sending_ = false;  // on_sent() will be called
};

class LoopClientSet final : public ClientSet {
 public:
  explicit LoopClientSet(LoopConnection& session) : ClientSet(session), session_(session) {}

 private:
  std::unique_ptr<ClientConnection> make(Fd socket, const Peer& peer) override;

  LoopConnection& session_;
};

}  // namespace berth
