#include "channel.hpp"

#include <sys/socket.h>

namespace berth::bench {

ssize_t Channel::send(const char* bytes, std::size_t size) {
  return ::send(socket(), bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t Channel::receive(char* bytes, std::size_t size) {
  return recv(socket(), bytes, size, MSG_DONTWAIT);
}

void Channel::end_sending() { shutdown(socket(), SHUT_WR); }

}  // namespace berth::bench
