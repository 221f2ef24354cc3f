/* Loaded before the C library (LD_PRELOAD): the time of day is off by as many seconds as the file
 * CLOCK_JUMP holds, an int64_t in shared memory that a test may change at any moment. The monotonic
 * clocks go on as they are, as they do when somebody sets the clock of a machine. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t* offset;

__attribute__((constructor)) static void begin(void) {
  const char* const file = getenv("CLOCK_JUMP");
  const int fd = file != NULL ? open(file, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void* const memory = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (memory != MAP_FAILED) offset = memory;
}

static time_t off_by(void) { return offset != NULL ? (time_t)*offset : 0; }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int clock_gettime(clockid_t clock, struct timespec* now) {
  const int result = REAL(clock_gettime)(clock, now);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += off_by();
  return result;
}

int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  const int result = REAL(gettimeofday)(now, zone);
  now->tv_sec += off_by();
  return result;
}

time_t time(time_t* now) {
  const time_t result = REAL(time)(NULL) + off_by();
  if (now != NULL) *now = result;
  return result;
}
