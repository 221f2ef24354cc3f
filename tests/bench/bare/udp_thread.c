// A detached thread for each datagram.
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "udp.h"

static struct datagram datagram;

static void* serve(void* argument) {
  reply(argument);
  free(argument);
  return NULL;
}

int main(int argc, char** argv) {
  int socket = receive_on(argc, argv);
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  for (;;) {
    if (!receive(socket, &datagram, 0)) continue;
    const size_t size = offsetof(struct datagram, bytes) + datagram.size;
    struct datagram* own = malloc(size);
    if (own == NULL) continue;
    memcpy(own, &datagram, size);
    pthread_t thread;
    if (pthread_create(&thread, &detached, serve, own)) free(own);
  }
}
