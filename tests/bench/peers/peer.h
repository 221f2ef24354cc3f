// What the peers in C and C++ share with each other: they listen on a free port of 127.0.0.1 and
// print it as a line, as the bare servers do. Each is the echo that its library's documentation
// leads to, with what a user who cares for speed would set: TCP_NODELAY, a long backlog, one buffer
// of 64 KiB where the library leaves the choice.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { kBufferSize = 64 * 1024, kBacklog = 4096 };

static inline void require(int succeeded, const char* what) {
  if (succeeded) return;
  fprintf(stderr, "%s failed\n", what);
  exit(1);
}

static inline struct sockaddr_in any_port_of_loopback(void) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static inline void print_port(unsigned port) {
  printf("%u\n", port);
  fflush(stdout);
}
