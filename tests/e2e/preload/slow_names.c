/* Loaded before the C library (LD_PRELOAD): names that end in ".test" are found, as 127.0.0.1, when
 * the file SLOW_NAMES has been read to its end; a pipe there lets a test say when. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*resolver)(const char*, const char*, const struct addrinfo*, struct addrinfo**);

static int is_slow(const char* host, const struct addrinfo* hints) {
  const size_t length = host != NULL ? strlen(host) : 0;
  if (length < 5 || strcmp(host + length - 5, ".test") != 0) return 0;
  return hints == NULL || (hints->ai_flags & AI_NUMERICHOST) == 0;
}

int getaddrinfo(const char* host, const char* port, const struct addrinfo* hints,
                struct addrinfo** found) {
  const resolver real = (resolver)dlsym(RTLD_NEXT, "getaddrinfo");
  if (!is_slow(host, hints)) return real(host, port, hints, found);
  const int fd = open(getenv("SLOW_NAMES"), O_RDONLY | O_CLOEXEC);
  char ignored[64];
  while (fd >= 0 && read(fd, ignored, sizeof ignored) > 0) {
  }
  close(fd);
  return real("127.0.0.1", port, hints, found);
}
