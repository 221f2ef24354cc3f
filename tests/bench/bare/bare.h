// What the bare servers share. Each of them is the shortest C program that echoes verbatim under
// one concurrency model with nothing but system calls: the yardstick of the host, so nothing is
// done here that the model does not need, and nothing left out that a correct server owes its
// clients.
//
// Called as `bare_X PORT [PROCESSES]` (port 0 = any free one); prints the port as a line on
// standard output, takes clients on 127.0.0.1 alone and serves until it is killed. Several
// processes share the port by SO_REUSEPORT, each with a socket of its own.
#pragma once

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kBufferSize = 64 * 1024, kBacklog = 4096, kMostProcesses = 64 };

static inline void die(const char* what) {
  perror(what);
  exit(1);
}

// TCP_NODELAY is set on the listening socket, since Linux hands it on to every accepted one: that
// saves a system call a connection.
static inline int bound_socket(int type, in_port_t* port, int shared) {
  int on = 1;
  int made = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  if (made < 0) die("socket");
  if (shared && setsockopt(made, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on)) die("SO_REUSEPORT");
  if (type == SOCK_STREAM) {
    if (setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on)) die("SO_REUSEADDR");
    if (setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) die("TCP_NODELAY");
  }
  if (bind(made, (struct sockaddr*)&address, size)) die("bind");
  if (type == SOCK_STREAM && listen(made, kBacklog)) die("listen");
  if (getsockname(made, (struct sockaddr*)&address, &size)) die("getsockname");
  *port = ntohs(address.sin_port);
  return made;
}

// Returns once in each process. All sockets are bound before the port is told, so that the kernel
// spreads the first clients like the last.
static inline int serve_on(int type, int argc, char** argv) {
  const int processes = argc == 3 ? atoi(argv[2]) : 1;
  if (argc < 2 || argc > 3 || processes < 1 || processes > kMostProcesses) {
    fprintf(stderr, "usage: %s PORT [PROCESSES]\n", argv[0]);
    exit(64);
  }
  in_port_t port = (in_port_t)atoi(argv[1]);
  int sockets[kMostProcesses];
  for (int i = 0; i < processes; ++i) sockets[i] = bound_socket(type, &port, processes > 1);
  printf("%d\n", port);
  fflush(stdout);
  int own = 0;
  for (int i = 1; i < processes && own == 0; ++i) {
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child < 0) die("fork");
    if (child > 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    own = i;
  }
  for (int i = 0; i < processes; ++i) {
    if (i != own) close(sockets[i]);
  }
  return sockets[own];
}

static inline int listen_on(int argc, char** argv) { return serve_on(SOCK_STREAM, argc, argv); }

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
