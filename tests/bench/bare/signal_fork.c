// A process for each connection; SIGCHLD is ignored, so that the kernel reaps.
#include <signal.h>

#include "bare.h"

int main(int argc, char** argv) {
  int listener = listen_on(argc, argv);
  signal(SIGCHLD, SIG_IGN);
  fork_for_each_client(listener);
}
