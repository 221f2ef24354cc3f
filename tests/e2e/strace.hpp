// strace(1) on processes of a host that runs: has their system calls fail, or die in them, and
// tells what they called.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "log_reader.hpp"
#include "tested_build.hpp"

namespace e2e {

// Whether strace is installed and may trace here. Containers often forbid it (ptrace(2)).
[[nodiscard]] bool can_trace();

// What a case does that is left out: the test is no failure, and does not pass in silence either.
#define LEAVE_OUT_UNLESS_TRACEABLE()                                                 \
  if (e2e::tested_build().sanitized || !e2e::can_trace()) {                          \
    MESSAGE("left out: strace is missing, may not trace here, or meets sanitizers"); \
    return;                                                                          \
  }

class Strace {
 public:
  // Follows a process, its threads, and what it forks from here on, until the destructor lets them
  // go on. Each expression is what strace takes behind -e: "inject=accept4:error=ENFILE:when=1..3".
  // Calls are counted for each process or thread alone, from now. Returns when it is attached.
  Strace(pid_t pid, const std::vector<std::string>& expressions);
  Strace(const Strace&) = delete;
  Strace& operator=(const Strace&) = delete;
  ~Strace();

  // Lets the processes go on untraced. What they called is all there then.
  void stop();
  // A line a call: `1795467481.123456 accept4(6, …) = -1 ENFILE (…) (INJECTED)`, behind `[pid 42] `
  // where several are traced.
  [[nodiscard]] LogReader& calls() { return *calls_; }
  // When it said those words for the nth time (from 1), in seconds.
  [[nodiscard]] double time_of(const std::string& words, std::size_t nth);

 private:
  std::unique_ptr<LogReader> calls_;
  pid_t pid_ = 0;
};

}  // namespace e2e
