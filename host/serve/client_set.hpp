// The client connections of a session, and its attempts to make some. Made when the handler asks
// for the first; a session without any pays for a pointer. Owned by the session's own connection,
// and used on its thread.
//
// Handlers close connections, and attempts end, in calls that come from these very objects: closed
// ones stay until sweep().
#pragma once

#include <berth/abi.h>

#include <list>
#include <memory>

#include "base/fd.hpp"
#include "net/address.hpp"
#include "serve/connect_attempt.hpp"

namespace berth {

class ClientConnection;
class Connection;

class ClientSet {
 public:
  explicit ClientSet(Connection& session);
  ClientSet(const ClientSet&) = delete;
  ClientSet& operator=(const ClientSet&) = delete;
  virtual ~ClientSet();

  // The ABI's functions.
  [[nodiscard]] int connect(berth_operation& operation);
  [[nodiscard]] int adopt(Fd socket, berth_connection*& adopted);
  void close(ClientConnection& connection);

  // A connection of this socket, whose other side is at `address`; null, with errno set, where it
  // cannot be watched. Throws std::bad_alloc.
  [[nodiscard]] ClientConnection* add(Fd socket, const SocketAddress& address);
  // An attempt is over: it is destroyed.
  void remove(ConnectAttempt& attempt);

  [[nodiscard]] bool empty() const { return connections_.empty() && attempts_.empty(); }
  // Whether the session waits for any of them.
  [[nodiscard]] bool waiting() const;
  [[nodiscard]] bool drain_ends_a_read() const;
  void end_reads_on_drain();
  // What comes later ends with ECANCELED; and what is pending too.
  void cut_off();
  void cancel();
  // Destroys those that are closed. To be called where nothing of them is on the stack.
  void sweep();

  // Calls for each that is there now; the call may close it, or any other, and make new ones.
  template <class Call>
  void for_each(Call call) {
    auto next = connections_.begin();
    for (std::size_t left = connections_.size(); left > 0; --left) call(**next++);
  }
  [[nodiscard]] std::size_t size() const { return connections_.size(); }

 private:
  // As add(), in the way of the session's model. Makes the socket what that needs.
  [[nodiscard]] virtual std::unique_ptr<ClientConnection> make(Fd socket, const Peer& peer) = 0;

  Connection& session_;
  bool to_be_swept_ = false;
  std::list<std::unique_ptr<ClientConnection>> connections_;
  std::list<ConnectAttempt> attempts_;  // end first: what they connect is among those above
};

}  // namespace berth
