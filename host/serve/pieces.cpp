#include "serve/pieces.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace berth {

[[gnu::hot]] ssize_t send_pieces(int socket, Pieces pieces, int flags) {
  ssize_t sent;
  if (pieces.size() == 1) [[likely]] {  // cheaper than sendmsg, and what most handlers do
    sent = ::send(socket, pieces.front().data, pieces.front().size, flags);
  } else {
    msghdr message{};
    message.msg_iov = as_iovec(pieces);
    message.msg_iovlen = pieces.size();
    sent = ::sendmsg(socket, &message, flags);
  }
  return sent < 0 ? -errno : sent;
}

}  // namespace berth
