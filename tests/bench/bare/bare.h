// What the bare servers share. Each of them is the shortest C program that echoes verbatim under
// one concurrency model with nothing but system calls: the yardstick of the host, so nothing is
// done here that the model does not need, and nothing left out that a correct server owes its
// clients.
//
// Called as `bare_X PORT` (0 = any free one); prints the port as a line on standard output, listens
// on 127.0.0.1 alone and serves until it is killed.
#pragma once

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kBufferSize = 64 * 1024, kBacklog = 4096 };

static inline void die(const char* what) {
  perror(what);
  exit(1);
}

// TCP_NODELAY is set on the listening socket, since Linux hands it on to every accepted one: that
// saves a system call a connection.
static inline int listen_on(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s PORT\n", argv[0]);
    exit(64);
  }
  int on = 1;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((in_port_t)atoi(argv[1])),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  if (listener < 0) die("socket");
  if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on)) die("SO_REUSEADDR");
  if (setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) die("TCP_NODELAY");
  if (bind(listener, (struct sockaddr*)&address, size)) die("bind");
  if (listen(listener, kBacklog)) die("listen");
  if (getsockname(listener, (struct sockaddr*)&address, &size)) die("getsockname");
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

// Sends all of it; 0 once done, -1 if the peer is gone. Waits for room where the peer does not
// read.
static inline int send_all(int connection, const char* bytes, size_t size) {
  while (size > 0) {
    ssize_t sent = send(connection, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return -1;
    bytes += sent;
    size -= (size_t)sent;
  }
  return 0;
}

// Serves one connection to its end, for the models that give each a process or a thread.
static inline void echo_until_closed(int connection) {
  char buffer[kBufferSize];
  for (;;) {
    ssize_t size = recv(connection, buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0 || send_all(connection, buffer, (size_t)size)) return;
  }
}

// A process for each connection, for the models that differ only in how its end is reaped.
static inline _Noreturn void fork_for_each_client(int listener) {
  for (;;) {
    int connection = accept(listener, NULL, NULL);
    if (connection < 0) continue;
    if (fork() == 0) {
      close(listener);
      echo_until_closed(connection);
      _exit(0);
    }
    close(connection);
  }
}
