// A process for each connection, reaped when SIGCHLD tells of its end: no zombie waits for the next
// client. One signal can stand for several children, hence the loop.
#include <signal.h>
#include <sys/wait.h>

#include "bare.h"

static void reap(int signal_number) {
  (void)signal_number;
  int saved = errno;
  while (waitpid(-1, NULL, WNOHANG) > 0) continue;
  errno = saved;
}

int main(int argc, char** argv) {
  int listener = listen_on(argc, argv);
  struct sigaction action = {.sa_handler = reap, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
  sigaction(SIGCHLD, &action, NULL);
  fork_for_each_client(listener);
}
