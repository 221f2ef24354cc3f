// Children are reaped when SIGCHLD tells of their end: no zombie waits for the next client. One
// signal can stand for several children, hence the loop.
#pragma once

#include "bare.h"  // first: it asks for all that the system's headers have

#include <sys/wait.h>

static inline void reap(int signal_number) {
  (void)signal_number;
  int saved = errno;
  while (waitpid(-1, NULL, WNOHANG) > 0) continue;
  errno = saved;
}

static inline void reap_children(void) {
  struct sigaction action = {.sa_handler = reap, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
  sigaction(SIGCHLD, &action, NULL);
}
