// One process, one thread, epoll(7): recvfrom and sendto for each datagram, until there are no
// more.
#include <sys/epoll.h>

#include "udp.h"

static struct datagram datagram;

int main(int argc, char** argv) {
  int socket = receive_on(argc, argv);
  int poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data = {.fd = socket}};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event)) die("epoll_ctl");
  for (;;) {
    epoll_wait(poller, &event, 1, -1);
    while (receive(socket, &datagram, MSG_DONTWAIT)) reply(&datagram);
  }
}
