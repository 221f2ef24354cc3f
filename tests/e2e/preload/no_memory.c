/* Loaded before the C library (LD_PRELOAD): memory cannot be had now and then. The file NO_MEMORY
 * holds three int64_t in shared memory, which a test may change at any moment: how many of a
 * thousand requests fail, in which group of processes (a worker with its sessions; 0: nowhere), and
 * how many did. Which ones is chosen at random from NO_MEMORY_SEED. Never those of the dynamic
 * linker, for thread-local data of a library: glibc ends the process for want of it, which nobody
 * can mend. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);

static struct {
  volatile int64_t per_mille;
  volatile int64_t group;
  int64_t failed;
} * orders;
static uint64_t seed = 1;
static _Thread_local uint64_t state;
static _Thread_local pid_t owner; /* of `state`: each process has its own, not that of its parent */

__attribute__((constructor)) static void begin(void) {
  const char* const given = getenv("NO_MEMORY_SEED");
  const char* const file = getenv("NO_MEMORY");
  if (given != NULL) seed = strtoull(given, NULL, 10) | 1;
  const int fd = file != NULL ? open(file, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void* const memory = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (memory != MAP_FAILED) orders = memory;
}

/* xorshift64 */
static uint64_t next_random(void) {
  if (owner != getpid()) {
    owner = getpid();
    state = seed ^ ((uint64_t)owner << 20);
  }
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static int is_linker(const void* caller) {
  Dl_info library;
  return dladdr(caller, &library) != 0 && library.dli_fname != NULL &&
         strstr(library.dli_fname, "ld-linux") != NULL;
}

static int refused(const void* caller) {
  if (orders == NULL || orders->group == 0 || orders->group != getpgid(0)) return 0;
  if (next_random() % 1000 >= (uint64_t)orders->per_mille) return 0;
  if (is_linker(caller)) return 0;
  __atomic_fetch_add(&orders->failed, 1, __ATOMIC_RELAXED);
  errno = ENOMEM;
  return 1;
}

void* malloc(size_t size) {
  return refused(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  return refused(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void* realloc(void* old, size_t size) {
  return refused(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}
