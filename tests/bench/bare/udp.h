// What the bare servers for datagrams share: each replies to the sender with the same bytes. A
// reply that the kernel does not take is lost, as any datagram may be.
#pragma once

#include "bare.h"

static inline int receive_on(int argc, char** argv) { return serve_on(SOCK_DGRAM, argc, argv); }

struct datagram {
  int socket;
  struct sockaddr_in sender;
  socklen_t sender_size;
  size_t size;
  char bytes[kBufferSize];
};

// 0 if there was none.
static inline int receive(int socket, struct datagram* datagram, int flags) {
  datagram->socket = socket;
  datagram->sender_size = sizeof datagram->sender;
  ssize_t size = recvfrom(socket, datagram->bytes, sizeof datagram->bytes, flags,
                          (struct sockaddr*)&datagram->sender, &datagram->sender_size);
  datagram->size = (size_t)size;
  return size >= 0;
}

static inline void reply(const struct datagram* datagram) {
  sendto(datagram->socket, datagram->bytes, datagram->size, 0,
         (const struct sockaddr*)&datagram->sender, datagram->sender_size);
}
