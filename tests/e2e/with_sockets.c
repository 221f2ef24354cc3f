/* with_sockets NAMES PROGRAM ARGUMENT...: executes PROGRAM with sockets that listen on free ports
 * of 127.0.0.1, one for each of NAMES (parted by colons), as a service manager hands them over:
 * from descriptor 3 on, with LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES. NAME=PATH alone makes a
 * single one that is a Unix socket, and NAME=udp one of UDP. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_somewhere(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  if (descriptor < 0) return -1;
  if (bind(descriptor, (struct sockaddr*)&address, sizeof address) != 0) return -1;
  return listen(descriptor, 5) == 0 ? descriptor : -1;
}

static int listen_at(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
  if (descriptor < 0) return -1;
  if (bind(descriptor, (struct sockaddr*)&address, sizeof address) != 0) return -1;
  return listen(descriptor, 5) == 0 ? descriptor : -1;
}

static int bind_somewhere(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
  if (descriptor < 0) return -1;
  return bind(descriptor, (struct sockaddr*)&address, sizeof address) == 0 ? descriptor : -1;
}

static int make(const char* path) {
  if (path == NULL) return listen_somewhere();
  return strcmp(path, "udp") == 0 ? bind_somewhere() : listen_at(path);
}

int main(int argc, char** argv) {
  if (argc < 3) return 64;
  int count = 1;
  char* path = strchr(argv[1], '=');
  if (path != NULL) *path++ = '\0';
  for (const char* at = argv[1]; (at = strchr(at, ':')) != NULL; ++at) ++count;
  closefrom(3);
  for (int number = 3; number < 3 + count; ++number) {
    if (make(path) != number) return 1;
  }
  char text[16];
  snprintf(text, sizeof text, "%d", count);
  setenv("LISTEN_FDS", text, 1);
  snprintf(text, sizeof text, "%d", (int)getpid());
  setenv("LISTEN_PID", text, 1);
  setenv("LISTEN_FDNAMES", argv[1], 1);
  execv(argv[2], argv + 2);
  perror(argv[2]);
  return 1;
}
