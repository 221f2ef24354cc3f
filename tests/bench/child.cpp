#include "child.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "failure.hpp"

namespace berth::bench {
namespace {

bool set_cores(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(static_cast<std::size_t>(core), &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

}  // namespace

Output::Output() : file_(memfd_create("output", MFD_CLOEXEC)) {
  if (!file_) throw system_failure("memfd_create");
}

std::string Output::text() const {
  std::string text;
  std::array<char, 4096> part;
  for (;;) {
    // pread, since the position in the file belongs to the child that writes it.
    const ssize_t size =
        pread(file_.get(), part.data(), part.size(), static_cast<off_t>(text.size()));
    if (size <= 0) return text;
    text.append(part.data(), static_cast<std::size_t>(size));
  }
}

void pin_to(const std::vector<int>& cores) {
  if (set_cores(cores)) return;
  std::string names;
  for (const int core : cores) names += " " + std::to_string(core);
  throw system_failure("cannot run on processor" + names);
}

pid_t fork_child() {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) throw system_failure("fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // it died before the signal was asked for
  }
  return pid;
}

pid_t spawn(const std::vector<std::string>& arguments, const Output& output,
            const std::vector<int>& cores) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = fork_child();
  if (pid > 0) return pid;
  setpgid(0, 0);  // a Ctrl-C at the terminal is for the benchmark
  dup2(output.get(), STDOUT_FILENO);
  dup2(output.get(), STDERR_FILENO);
  if (set_cores(cores)) execvp(argv[0], argv.data());
  dprintf(STDERR_FILENO, "%s\n", system_failure(std::string("cannot run ") + argv[0]).what());
  _exit(127);
}

bool has_ended(pid_t child) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
         info.si_pid == child;
}

}  // namespace berth::bench
