// One process, one thread, epoll(7): recvmmsg and sendmmsg take as many datagrams at a time as
// there are. Fewer than there was room for have emptied the socket.
#include "udp.h"  // first: it asks for all that the system's headers have

#include <sys/epoll.h>

enum { kBatch = 64 };

static char bytes[kBatch][kBufferSize];
static struct sockaddr_in senders[kBatch];
static struct iovec parts[kBatch];
static struct mmsghdr messages[kBatch];

static void lend_buffers(void) {
  for (int i = 0; i < kBatch; ++i) {
    parts[i] = (struct iovec){bytes[i], sizeof bytes[i]};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &senders[i],
                                          .msg_namelen = sizeof senders[i],
                                          .msg_iov = &parts[i],
                                          .msg_iovlen = 1};
  }
}

static int echo_batch(int socket) {
  int count = recvmmsg(socket, messages, kBatch, MSG_DONTWAIT, NULL);
  if (count <= 0) return 0;
  for (int i = 0; i < count; ++i) parts[i].iov_len = messages[i].msg_len;
  for (int sent = 0; sent < count;) {
    int some = sendmmsg(socket, messages + sent, (unsigned)(count - sent), 0);
    sent += some > 0 ? some : 1;
  }
  for (int i = 0; i < count; ++i) {
    parts[i].iov_len = sizeof bytes[i];
    messages[i].msg_hdr.msg_namelen = sizeof senders[i];
  }
  return count;
}

int main(int argc, char** argv) {
  int socket = receive_on(argc, argv);
  int poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data = {.fd = socket}};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event)) die("epoll_ctl");
  lend_buffers();
  for (;;) {
    epoll_wait(poller, &event, 1, -1);
    while (echo_batch(socket) == kBatch) continue;
  }
}
