// One process, one thread, io_uring(7): one multishot accept for the listener and one multishot
// receive for each connection, whose bytes are sent from the buffer they came in. What a turn asks
// for is submitted by the system call that waits for the next one.
//
// All connections take their bytes from one buffer until it is full (IOU_PBUF_RING_INC, Linux
// 6.12), so that a short message takes little of it and a long one is received at one go. A buffer
// goes back to the kernel when it is full and everything in it has been sent. A connection has one
// send on its way at a time: a second one could overtake the first when that has to wait for room.
#include "bare.h"  // first: it asks for all that the system's headers have

#include <liburing.h>
#include <stddef.h>
#include <string.h>

// Missing in the liburing of Debian 12.
enum { kIncremental = 2, kBufferMore = 1 << 4 };  // IOU_PBUF_RING_INC, IORING_CQE_F_BUF_MORE

// Of those tried these cost least in bulk, and nothing in short messages.
enum { kBuffers = 8, kShareSize = 256 * 1024 };
enum { kEntries = 4096, kMostDescriptors = 1 << 20 };
enum operation { kAccept, kReceive, kSend, kClose };

struct extent {  // bytes still to be sent
  struct extent* next;
  char* bytes;
  size_t size;
  unsigned buffer;
};

struct connection {
  struct extent *first, *last;  // the first is on its way
  int ended;                    // nothing more is to come, or its peer is gone
  int next_starved;
};

static struct io_uring ring;
static struct io_uring_buf_ring* buffer_ring;
static char memory[kBuffers][kShareSize] __attribute__((aligned(4096)));
static size_t filled[kBuffers];
static int held[kBuffers];  // extents in it, and one for the kernel as long as it fills it
static int freed;           // some buffer went back in this turn
static struct extent* unused_extents;
static struct connection connections[kMostDescriptors];
static int starved = -1;  // the connections whose receive found no buffer

static struct io_uring_sqe* ask(enum operation operation, int fd) {
  struct io_uring_sqe* entry = io_uring_get_sqe(&ring);
  if (entry == NULL) {
    io_uring_submit(&ring);
    entry = io_uring_get_sqe(&ring);
  }
  entry->user_data = (unsigned long long)fd << 2 | operation;
  return entry;
}

static void accept_all(int listener) {
  io_uring_prep_multishot_accept(ask(kAccept, listener), listener, NULL, NULL, 0);
}

static void receive(int fd) {
  struct io_uring_sqe* entry = ask(kReceive, fd);
  io_uring_prep_recv_multishot(entry, fd, NULL, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
}

static void send_first(int fd) {
  const struct extent* extent = connections[fd].first;
  io_uring_prep_send(ask(kSend, fd), fd, extent->bytes, extent->size, MSG_NOSIGNAL);
}

static void release(unsigned buffer) {
  if (--held[buffer] > 0) return;
  held[buffer] = 1;
  filled[buffer] = 0;
  io_uring_buf_ring_add(buffer_ring, memory[buffer], kShareSize, (unsigned short)buffer,
                        kBuffers - 1, 0);
  io_uring_buf_ring_advance(buffer_ring, 1);
  freed = 1;
}

static struct extent* take_extent(void) {
  struct extent* extent = unused_extents;
  if (extent == NULL) {
    extent = malloc(sizeof *extent);
    if (extent == NULL) die("malloc");
  } else {
    unused_extents = extent->next;
  }
  return extent;
}

static void drop_first(struct connection* connection) {
  struct extent* extent = connection->first;
  connection->first = extent->next;
  release(extent->buffer);
  extent->next = unused_extents;
  unused_extents = extent;
}

static void append(int fd, unsigned buffer, size_t size) {
  struct connection* connection = &connections[fd];
  char* bytes = memory[buffer] + filled[buffer];
  struct extent* last = connection->last;
  filled[buffer] += size;
  if (connection->first != NULL && last->buffer == buffer && last->bytes + last->size == bytes) {
    last->size += size;  // if it is on its way, it will seem to have been sent in part
    return;
  }
  struct extent* extent = take_extent();
  *extent = (struct extent){NULL, bytes, size, buffer};
  ++held[buffer];
  connection->last = extent;
  if (connection->first == NULL) {
    connection->first = extent;
    send_first(fd);
  } else {
    last->next = extent;
  }
}

static void close_if_done(int fd) {
  if (connections[fd].ended && connections[fd].first == NULL)
    io_uring_prep_close(ask(kClose, fd), fd);
}

static void admit(int fd) {
  if (fd < 0) return;
  if (fd >= kMostDescriptors) {
    close(fd);
    return;
  }
  connections[fd] = (struct connection){0};
  receive(fd);
}

static void received(int fd, int result, unsigned flags) {
  struct connection* connection = &connections[fd];
  if (flags & IORING_CQE_F_BUFFER) {
    const unsigned buffer = flags >> IORING_CQE_BUFFER_SHIFT;
    if (result > 0) append(fd, buffer, (size_t)result);
    if (!(flags & kBufferMore)) release(buffer);
  }
  if (flags & IORING_CQE_F_MORE) return;
  if (result > 0) {
    receive(fd);
  } else if (result == -ENOBUFS) {
    connection->next_starved = starved;
    starved = fd;
  } else {
    connection->ended = 1;
    close_if_done(fd);
  }
}

static void sent(int fd, int result) {
  struct connection* connection = &connections[fd];
  struct extent* extent = connection->first;
  if (result < 0) {  // the receive ends with this, and the connection with that
    shutdown(fd, SHUT_RDWR);
    while (connection->first != NULL) drop_first(connection);
  } else if ((size_t)result < extent->size) {
    extent->bytes += result;
    extent->size -= (size_t)result;
  } else {
    drop_first(connection);
  }
  if (connection->first != NULL) {
    send_first(fd);
  } else {
    close_if_done(fd);
  }
}

static void receive_for_the_starved(void) {
  if (!freed) return;
  freed = 0;
  for (int fd = starved; fd >= 0; fd = connections[fd].next_starved) receive(fd);
  starved = -1;
}

static void handle(const struct io_uring_cqe* event) {
  const int fd = (int)(event->user_data >> 2);
  switch ((enum operation)(event->user_data & 3)) {
    case kAccept:
      admit(event->res);
      if (!(event->flags & IORING_CQE_F_MORE)) accept_all(fd);
      break;
    case kReceive:
      received(fd, event->res, event->flags);
      break;
    case kSend:
      sent(fd, event->res);
      break;
    case kClose:
      break;
  }
}

// liburing's io_uring_setup_buf_ring() came later, and the flags have no name in Debian 12.
static void lend_buffers(void) {
  buffer_ring = aligned_alloc(4096, 4096);
  struct io_uring_buf_reg buffers = {.ring_addr = (unsigned long)buffer_ring,
                                     .ring_entries = kBuffers};
  const unsigned short flags = kIncremental;
  memcpy((char*)&buffers.bgid + sizeof buffers.bgid, &flags, sizeof flags);
  if (buffer_ring == NULL) die("aligned_alloc");
  errno = -io_uring_register_buf_ring(&ring, &buffers, 0);
  if (errno) die("incremental buffers (Linux 6.12)");
  io_uring_buf_ring_init(buffer_ring);
  for (unsigned i = 0; i < kBuffers; ++i) {
    held[i] = 1;
    release(i);
  }
}

int main(int argc, char** argv) {
  int listener = listen_on(argc, argv);
  errno = -io_uring_queue_init(kEntries, &ring,
                               IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  if (errno) die("io_uring_setup");
  io_uring_register_ring_fd(&ring);
  lend_buffers();
  accept_all(listener);
  for (;;) {
    io_uring_submit_and_wait(&ring, 1);
    unsigned position, count = 0;
    struct io_uring_cqe* event;
    io_uring_for_each_cqe(&ring, position, event) {
      handle(event);
      ++count;
    }
    io_uring_cq_advance(&ring, count);
    receive_for_the_starved();
  }
}
