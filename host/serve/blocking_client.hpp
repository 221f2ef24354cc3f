// A client connection of a session that has a thread or a process to itself. The session waits for
// all its connections in one poll(2), so that no call on this one's socket blocks.
#pragma once

#include "serve/blocking_connection.hpp"
#include "serve/client_connection.hpp"

namespace berth {

class BlockingClient final : public ClientConnection {
 public:
  BlockingClient(BlockingConnection& session, Fd socket, const Peer& peer)
      : ClientConnection(session, std::move(socket), peer, Waits::in_call), session_(session) {}

  void go_on() override;
  [[nodiscard]] int socket() const { return socket_.get(); }

 private:
  ssize_t receive(Lent& bytes) override;
  ssize_t send(Pieces pieces) override;
  TimerQueue& timers() override { return session_.timers(); }
  void go_on_soon() override { session_.go_on_soon(); }

  BlockingConnection& session_;
};

class BlockingClientSet final : public ClientSet {
 public:
  explicit BlockingClientSet(BlockingConnection& session) : ClientSet(session), session_(session) {}

 private:
  std::unique_ptr<ClientConnection> make(Fd socket, const Peer& peer) override;

  BlockingConnection& session_;
};

}  // namespace berth
