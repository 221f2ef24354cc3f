// What a connection does for the client connections of its session, and as one of them.
#include <sys/socket.h>

#include "serve/client_set.hpp"
#include "serve/connection.hpp"

namespace berth {

bool Connection::drain_ends_a_read() {
  return read_ends_on_drain() || (clients() != nullptr && clients()->drain_ends_a_read());
}

void Connection::end_reads_on_drain() {
  end_read_on_drain();
  if (clients() != nullptr) clients()->end_reads_on_drain();
}

// A send of nothing waits for a socket to be connected as any other does, and tells why it cannot
// be; but that there may be room now is not yet that it is.
ssize_t Connection::look_whether_connected() {
  const berth_bytes nothing = {"", 0};
  ssize_t sent = send_pieces(socket_.get(), {&nothing, 1}, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent == kNotYet) sent = send({&nothing, 1});
  if (sent == 0) {
    connecting_ = false;
  } else if (!is_not_yet(sent)) {
    count_sent(sent);
  }
  return sent;
}

void Connection::drop() {
  if (read_ != nullptr) drop_timer(*read_);
  read_ = write_ = nullptr;
  lent_.reset();
  socket_.reset();
}

}  // namespace berth
