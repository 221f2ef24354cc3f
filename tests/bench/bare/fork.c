// A process for each connection, reaped when SIGCHLD tells of its end.
#include "reap.h"

int main(int argc, char** argv) {
  int listener = listen_on(argc, argv);
  reap_children();
  fork_for_each_client(listener);
}
