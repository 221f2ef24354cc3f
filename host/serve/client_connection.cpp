#include "serve/client_connection.hpp"

namespace berth {

ClientConnection::ClientConnection(Connection& session, Fd socket, const Peer& peer)
    : Connection(session.context(), std::move(socket),
                 {.id = session.report().id, .peer = peer, .accepted = session.report().accepted}),
      session_(session) {}

int ClientConnection::wait_until_connected(berth_operation& operation) {
  connecting_ = true;
  operation.bytes.write = {nullptr, 0};
  return write(operation);
}

void ClientConnection::close() {
  unwatch();
  drop();
}

}  // namespace berth
