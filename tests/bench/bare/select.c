// One process, one thread, select(2). A client that does not read stalls the others: waiting for
// room to write would cost this yardstick nothing in the benchmark, whose clients always read.
#include <sys/select.h>

#include "bare.h"

static char buffer[kBufferSize];
static fd_set watched;
static int highest;

static void admit(int listener) {
  int connection = accept(listener, NULL, NULL);
  if (connection < 0) return;
  if (connection >= FD_SETSIZE) {
    close(connection);
    return;
  }
  FD_SET(connection, &watched);
  if (connection > highest) highest = connection;
}

static void echo(int connection) {
  ssize_t size = recv(connection, buffer, sizeof buffer, 0);
  if (size > 0 && send_all(connection, buffer, (size_t)size) == 0) return;
  FD_CLR(connection, &watched);
  close(connection);
}

int main(int argc, char** argv) {
  int listener = listen_on(argc, argv);
  FD_SET(listener, &watched);
  highest = listener;
  for (;;) {
    fd_set ready = watched;
    int left = select(highest + 1, &ready, NULL, NULL, NULL);
    for (int fd = 0; left > 0 && fd <= highest; ++fd) {
      if (!FD_ISSET(fd, &ready)) continue;
      --left;
      if (fd == listener) {
        admit(listener);
      } else {
        echo(fd);
      }
    }
  }
}
