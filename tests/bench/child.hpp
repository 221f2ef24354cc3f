// Starting programs, on processors of their own, with what they write kept in memory.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.hpp"

namespace berth::bench {

// What a child writes: a file in memory, so that no child ever waits for the benchmark to read.
class Output {
 public:
  Output();
  [[nodiscard]] int get() const { return file_.get(); }
  [[nodiscard]] std::string text() const;

 private:
  Fd file_;
};

// Pins the calling thread, and so every process it starts; throws Failure if there is no such
// processor.
void pin_to(const std::vector<int>& cores);

// As fork(2), of a child that the kernel kills when the benchmark dies. Throws Failure.
pid_t fork_child();

// Starts a program as a child that the kernel kills when the benchmark dies, in a process group of
// its own. That it could not be started stands in its output, and it ends with status 127.
pid_t spawn(const std::vector<std::string>& arguments, const Output& output,
            const std::vector<int>& cores);

// Leaves its status to be waited for.
bool has_ended(pid_t child);

}  // namespace berth::bench
