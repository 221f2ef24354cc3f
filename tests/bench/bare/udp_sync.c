// One datagram after another: the call that waits is the one that receives.
#include "udp.h"

static struct datagram datagram;

int main(int argc, char** argv) {
  int socket = receive_on(argc, argv);
  for (;;) {
    if (receive(socket, &datagram, 0)) reply(&datagram);
  }
}
