// One process, one thread, epoll(7), edge-triggered: a read that fills less than the buffer has
// emptied the socket, so that a round trip is one recv and one send. Only where the peer has closed
// already is the end of stream still to be read, since no further edge will tell of it.
#include <sys/epoll.h>

#include "bare.h"

static char buffer[kBufferSize];

static void admit(int poller, int listener) {
  int connection = accept(listener, NULL, NULL);
  if (connection < 0) return;
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {.fd = connection}};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, connection, &event)) close(connection);
}

static void echo(int connection, int closed) {
  for (;;) {
    ssize_t size = recv(connection, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0 || send_all(connection, buffer, (size_t)size)) {
      close(connection);
      return;
    }
    if (size < kBufferSize && !closed) return;
  }
}

int main(int argc, char** argv) {
  int listener = listen_on(argc, argv);
  int poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event events[256] = {{.events = EPOLLIN, .data = {.fd = listener}}};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &events[0])) die("epoll_ctl");
  for (;;) {
    int count = epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == listener) {
        admit(poller, listener);
      } else {
        echo(events[i].data.fd, (events[i].events & (EPOLLRDHUP | EPOLLHUP)) != 0);
      }
    }
  }
}
