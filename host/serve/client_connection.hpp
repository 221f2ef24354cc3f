// A connection that a session has beside the one that it serves: connect() made it, or adopt(). A
// handler drives it with the same operations, on the same thread; close() ends it.
//
// Owned by its session's ClientSet. The subclass for event loops is LoopClient, that for models
// whose sessions block BlockingClient.
#pragma once

#include <cerrno>

#include "serve/client_set.hpp"
#include "serve/connection.hpp"

namespace berth {

class ClientConnection : public Connection {
 public:
  // The session outlives it.
  ClientConnection(Connection& session, Fd socket, const Peer& peer, Waits waits);
  ~ClientConnection() override;

  // A write of nothing that is over when the socket is connected, or cannot be.
  [[nodiscard]] int wait_until_connected(berth_operation& operation);
  // Closes the socket; what is pending is forgotten. The object may still be on the stack.
  void close();
  [[nodiscard]] bool is_closed() const { return !socket_; }
  // What comes later ends with ECANCELED.
  void cut_off() { report_.error = ECANCELED; }
  // Carries on what is pending, as far as it goes.
  virtual void go_on() = 0;
  using Connection::break_off;
  using Connection::end_read_on_drain;
  using Connection::read_ends_on_drain;
  using Connection::reading;
  using Connection::writing;

  [[nodiscard]] Connection& session() override { return session_; }
  [[nodiscard]] ClientSet& make_clients() override { return session_.make_clients(); }
  [[nodiscard]] bool cancelled() const override { return session_.cancelled(); }

 protected:
  Lent take_buffer() override { return session_.take_buffer(); }
  // Its socket is about to be closed.
  virtual void unwatch() {}
  // A send has said kNotYet: from now on it is looked at now and then.
  void write_waits() noexcept;
  // The other side has taken nothing of a write for too long. Calls the handler.
  virtual void give_up_write() { break_off(ETIMEDOUT); }

 private:
  class Patience;
  [[nodiscard]] Duration longest_wait() const;
  void look_at_write();

  Connection& session_;
  std::unique_ptr<Patience> patience_;  // made when a write first waits
};

}  // namespace berth
