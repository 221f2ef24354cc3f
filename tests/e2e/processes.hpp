// What /proc says of processes, and starting and reaping them. The test process is a child
// subreaper: when a process of a host loses its parent it becomes a child of this one, so that
// nothing can be left behind unseen.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace e2e {

struct ProcessState {
  pid_t pid = 0;
  char state = '?';  // as in /proc/PID/stat: R, S, T, Z, …
  pid_t parent = 0;
  pid_t group = 0;
};

// Starts a program in a process group of its own, with these descriptors as its standard output
// and error, and with `environment` (NAME=VALUE) beside what this process has.
[[nodiscard]] pid_t start_program(const std::vector<std::string>& arguments, int output, int error,
                                  const std::vector<std::string>& environment = {});

// Waits until it has ended; its status as waitpid(2) tells it. Throws where it does not end.
[[nodiscard]] int wait_for_end(pid_t pid);

// Waits until this process has no child any more; reaps those that hosts have left to it. What is
// still there when patience is at its end is killed, and named in what is returned.
[[nodiscard]] std::string wait_until_childless();

// Sends it SIGSTOP; returns when it has stopped.
void stop_process(pid_t pid);

[[nodiscard]] ProcessState state_of(pid_t pid);
// Whether it has been sent a signal that it has not been given yet.
[[nodiscard]] bool is_pending(pid_t pid, int signal);
[[nodiscard]] std::vector<ProcessState> all_processes();
[[nodiscard]] std::vector<ProcessState> children_of(pid_t parent);
[[nodiscard]] std::size_t open_descriptors(pid_t pid);
// The sockets open in that process that listen on this port of 127.0.0.1: by their inodes, how many
// clients wait in their queues.
[[nodiscard]] std::map<std::string, int> listening_sockets(pid_t pid, std::uint16_t port);
// The lowest number that the next descriptor of that process will get.
[[nodiscard]] int next_descriptor(pid_t pid);
// What its threads that still live have used of the processor.
[[nodiscard]] std::chrono::nanoseconds cpu_time(pid_t pid);
// What they use of one processor, as a share, while this looks on for a moment.
[[nodiscard]] double cpu_share(pid_t pid);

}  // namespace e2e
