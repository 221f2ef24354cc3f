// A detached thread for each connection.
#include <pthread.h>
#include <stdint.h>

#include "bare.h"

static void* serve(void* argument) {
  int connection = (int)(intptr_t)argument;
  echo_until_closed(connection);
  close(connection);
  return NULL;
}

int main(int argc, char** argv) {
  int listener = listen_on(argc, argv);
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  for (;;) {
    int connection = accept(listener, NULL, NULL);
    if (connection < 0) continue;
    pthread_t thread;
    if (pthread_create(&thread, &detached, serve, (void*)(intptr_t)connection)) close(connection);
  }
}
