// One process, one thread, epoll(7), level-triggered: what OpenSSL has not read yet is told of
// again, so that a round trip is one read and one write. The handshake is what SSL_read does first.
// A client that does not read stalls the others, as in epoll.c.
#include "tls.h"

#include <sys/epoll.h>

static char buffer[kBufferSize];

static void admit(int poller, int listener) {
  int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (connection < 0) return;
  SSL* tls = tls_on(connection);
  struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = tls}};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, connection, &event)) end_tls(tls, 1);
}

// 0 once done, -1 if the peer is gone.
static int write_all(SSL* tls, int size) {
  for (;;) {
    int written = SSL_write(tls, buffer, size);
    if (written > 0) return 0;
    if (SSL_get_error(tls, written) != SSL_ERROR_WANT_WRITE) return -1;
    poll(&(struct pollfd){.fd = SSL_get_fd(tls), .events = POLLOUT}, 1, -1);
  }
}

static void echo(SSL* tls) {
  int size;
  while ((size = SSL_read(tls, buffer, sizeof buffer)) > 0) {
    if (write_all(tls, size)) return end_tls(tls, 1);
    if (!SSL_has_pending(tls)) return;
  }
  const int why = SSL_get_error(tls, size);
  if (why == SSL_ERROR_WANT_READ) return;
  if (why == SSL_ERROR_WANT_WRITE) {  // in the handshake
    poll(&(struct pollfd){.fd = SSL_get_fd(tls), .events = POLLOUT}, 1, -1);
    return echo(tls);
  }
  end_tls(tls, why != SSL_ERROR_ZERO_RETURN);
}

int main(int argc, char** argv) {
  int listener = listen_with_tls(argc, argv);
  int poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event events[256] = {{.events = EPOLLIN, .data = {.ptr = NULL}}};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &events[0])) die("epoll_ctl");
  for (;;) {
    int count = epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.ptr == NULL) {
        admit(poller, listener);
      } else {
        echo(events[i].data.ptr);
      }
    }
  }
}
