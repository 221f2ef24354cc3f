#include "serve/blocking_client.hpp"

#include <sys/socket.h>

namespace berth {

void BlockingClient::go_on() {
  if (writing()) carry_on_write();
  if (reading()) carry_on_read();
}

ssize_t BlockingClient::receive(Lent& bytes) {
  if (!bytes) bytes = session_.buffers_.take();
  return receive_from(socket_.get(), bytes, MSG_DONTWAIT);
}

ssize_t BlockingClient::send(Pieces pieces) {
  const ssize_t result = send_pieces(socket_.get(), pieces, MSG_DONTWAIT);
  if (result == kNotYet) write_waits();
  return result;
}

std::unique_ptr<ClientConnection> BlockingClientSet::make(Fd socket, const Peer& peer) {
  session_.reserve_polled(size() + 1);
  return std::make_unique<BlockingClient>(session_, std::move(socket), peer);
}

}  // namespace berth
