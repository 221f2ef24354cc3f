// A process for each datagram, reaped when SIGCHLD tells of its end, as in fork.c.
#include "reap.h"
#include "udp.h"

static struct datagram datagram;

int main(int argc, char** argv) {
  int socket = receive_on(argc, argv);
  reap_children();
  for (;;) {
    if (!receive(socket, &datagram, 0)) continue;
    if (fork() == 0) {
      reply(&datagram);
      _exit(0);
    }
  }
}
