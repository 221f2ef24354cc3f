// A detached thread for each connection, TLS on a blocking socket.
#include "tls.h"  // first: it asks for all that the system's headers have

#include <pthread.h>
#include <stdint.h>

static void* serve(void* argument) {
  SSL* tls = tls_on((int)(intptr_t)argument);
  char buffer[kBufferSize];
  int size;
  while ((size = SSL_read(tls, buffer, sizeof buffer)) > 0) {
    if (SSL_write(tls, buffer, size) <= 0) break;
  }
  end_tls(tls, SSL_get_error(tls, size) != SSL_ERROR_ZERO_RETURN);
  return NULL;
}

int main(int argc, char** argv) {
  int listener = listen_with_tls(argc, argv);
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
