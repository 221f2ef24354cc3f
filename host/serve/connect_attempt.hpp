// One connect() of a handler's: resolves the name, then tries the addresses it stands for one after
// the other, until one is connected, all have failed or the time is over. Waits for nothing by
// itself: its clock and its resolution are operations of the session, and that a socket is
// connected is an operation of the connection that is to become of it; so it is the same under
// every model.
//
// Owned by its session's ClientSet, used on the session's thread.
#pragma once

#include <berth/abi.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "net/address.hpp"

namespace berth {

class ClientConnection;
class ClientSet;
class Connection;
struct Resolution;

class ConnectAttempt {
 public:
  // For `operation`, a connect of that session, which owns the set.
  ConnectAttempt(Connection& session, ClientSet& set, berth_operation& operation);
  ConnectAttempt(const ConnectAttempt&) = delete;
  ConnectAttempt& operator=(const ConnectAttempt&) = delete;
  ~ConnectAttempt();

  // 0: it is connected already, see take_connection(). EINPROGRESS: the operation will be completed
  // later. Any other errno value: why nothing comes of it. Throws std::bad_alloc.
  [[nodiscard]] int start(const Address& address);
  [[nodiscard]] ClientConnection* take_connection();
  // Completes the operation with this error and destroys this.
  void end(int error);

 private:
  // An operation that belongs to this and not to a handler.
  struct Own : berth_operation {
    Own(ConnectAttempt& its_attempt, void (ConnectAttempt::*call)());
    ConnectAttempt& attempt;
    void (ConnectAttempt::*on_end)();
  };
  friend Resolution;

  [[nodiscard]] int resolve(const Address& address);
  [[nodiscard]] int take_resolved();
  [[nodiscard]] int try_from_next();
  [[nodiscard]] int try_address(const SocketAddress& address);
  template <class Step>
  void go_on(Step step);
  void on_resolved();
  void on_connected();
  void on_clock();
  void set_clock(TimePoint when);
  void limit_address();
  void drop_connection();

  Connection& session_;
  ClientSet& set_;
  berth_operation& operation_;
  TimePoint end_ = kNever;
  // Shared with the thread that works on it, which may be at it for longer than this lives.
  std::shared_ptr<Resolution> resolution_;
  std::vector<SocketAddress> addresses_;
  std::size_t next_ = 0;                    // the address that is tried, or will be
  ClientConnection* connection_ = nullptr;  // that is being connected
  Own wait_;                                // until it is
  Own clock_;
};

}  // namespace berth
