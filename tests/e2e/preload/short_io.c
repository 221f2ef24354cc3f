/* Loaded before the C library (LD_PRELOAD): makes the kernel look stingy. On TCP sockets recv, send
 * and sendmsg move fewer bytes than they could, and these and the calls that wait fail with EINTR
 * now and then. Chosen at random from SHORT_IO_SEED; what was done is counted in the file
 * SHORT_IO_COUNTS, in shared memory, so that processes which end or crash have told it too.
 *
 * SHORT_IO_READS=whole leaves the lengths of reads as they are. An edge-triggered epoll may rely on
 * what man 7 epoll promises, that a read which fills less than its buffer has emptied the socket:
 * the kernel never does there what this library could. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
  uint64_t shortened;
  uint64_t interrupted;
} * counts;
static int whole_reads;
static uint64_t seed = 1;
static _Thread_local uint64_t state;

__attribute__((constructor)) static void begin(void) {
  const char* const given = getenv("SHORT_IO_SEED");
  const char* const reads = getenv("SHORT_IO_READS");
  const char* const file = getenv("SHORT_IO_COUNTS");
  if (given != NULL) seed = strtoull(given, NULL, 10) | 1;
  whole_reads = reads != NULL && strcmp(reads, "whole") == 0;
  const int fd = file != NULL ? open(file, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void* const memory = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (memory != MAP_FAILED) counts = memory;
}

/* xorshift64 */
static uint64_t next_random(void) {
  if (state == 0) state = seed;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static int interrupted(void) {
  if (counts == NULL || next_random() % 5 != 0) return 0;
  __atomic_fetch_add(&counts->interrupted, 1, __ATOMIC_RELAXED);
  errno = EINTR;
  return 1;
}

static int is_tcp(int fd) {
  int domain = 0, type = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_INET) return 0;
  size = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

static size_t shortened(size_t size) {
  if (counts == NULL || size < 2) return size;
  __atomic_fetch_add(&counts->shortened, 1, __ATOMIC_RELAXED);
  const size_t most = size < 1500 ? size : 1500;
  return 1 + next_random() % (most - 1);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t recv(int fd, void* into, size_t size, int flags) {
  if (is_tcp(fd)) {
    if (interrupted()) return -1;
    if (!whole_reads) size = shortened(size);
  }
  return REAL(recv)(fd, into, size, flags);
}

ssize_t send(int fd, const void* from, size_t size, int flags) {
  if (is_tcp(fd)) {
    if (interrupted()) return -1;
    size = shortened(size);
  }
  return REAL(send)(fd, from, size, flags);
}

/* Of what is gathered only the first piece that is not empty, and that not whole. */
ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
  if (!is_tcp(fd)) return REAL(sendmsg)(fd, message, flags);
  for (size_t i = 0; i < message->msg_iovlen; ++i) {
    const struct iovec* const piece = &message->msg_iov[i];
    if (piece->iov_len > 0) return send(fd, piece->iov_base, piece->iov_len, flags);
  }
  return 0;
}

int epoll_wait(int epoll, struct epoll_event* events, int most, int timeout) {
  return interrupted() ? -1 : REAL(epoll_wait)(epoll, events, most, timeout);
}

int pselect(int count, fd_set* read, fd_set* write, fd_set* other, const struct timespec* timeout,
            const sigset_t* mask) {
  return interrupted() ? -1 : REAL(pselect)(count, read, write, other, timeout, mask);
}

int ppoll(struct pollfd* polled, nfds_t count, const struct timespec* timeout,
          const sigset_t* mask) {
  return interrupted() ? -1 : REAL(ppoll)(polled, count, timeout, mask);
}

int accept4(int fd, struct sockaddr* peer, socklen_t* size, int flags) {
  return interrupted() ? -1 : REAL(accept4)(fd, peer, size, flags);
}
