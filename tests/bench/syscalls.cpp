#include "syscalls.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "failure.hpp"
#include "process_tree.hpp"

namespace berth::bench {
namespace {

bool is_watched(const std::filesystem::path& thread, pid_t tracer) {
  std::ifstream status(thread / "status");
  for (std::string word; status >> word;) {
    if (word != "TracerPid:") continue;
    pid_t by = 0;
    status >> by;
    return by == tracer;
  }
  return true;  // it has ended
}

bool all_watched(const std::vector<pid_t>& pids, pid_t tracer) {
  for (const pid_t pid : pids) {
    std::error_code ended;
    const std::filesystem::path threads = "/proc/" + std::to_string(pid) + "/task";
    for (const auto& thread : std::filesystem::directory_iterator(threads, ended)) {
      if (!is_watched(thread.path(), tracer)) return false;
    }
  }
  return true;
}

// Lines like " 49.83    0.012  5   2000   12 recvfrom", the column of errors being empty at times,
// between two rules of dashes.
Syscalls parse_summary(const std::string& text) {
  Syscalls calls;
  std::istringstream lines(text);
  int rules = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("------", 0) == 0) ++rules;
    if (rules != 1 || line[0] == '-') continue;
    std::istringstream fields(line);
    std::string percent, seconds, each, name;
    std::uint64_t count = 0;
    fields >> percent >> seconds >> each >> count;
    while (fields >> name) continue;
    calls[name] = count;
  }
  return calls;
}

}  // namespace

SyscallCounter::SyscallCounter(pid_t root, const std::vector<int>& cores) {
  const std::vector<pid_t> pids = process_tree(root);
  std::vector<std::string> arguments{"strace", "-f", "-c"};
  for (const pid_t pid : pids) {
    arguments.push_back("-p");
    arguments.push_back(std::to_string(pid));
  }
  tracer_ = spawn(arguments, output_, cores);
  const TimePoint give_up = Clock::now() + std::chrono::seconds(10);
  while (!all_watched(pids, tracer_)) {
    if (has_ended(tracer_) || Clock::now() >= give_up) {
      kill(tracer_, SIGKILL);
      waitpid(tracer_, nullptr, 0);
      throw Failure("cannot count system calls, strace does not watch every thread: " +
                    output_.text());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

SyscallCounter::~SyscallCounter() {
  if (tracer_ > 0) finish();
}

Syscalls SyscallCounter::finish() {
  kill(tracer_, SIGINT);
  waitpid(tracer_, nullptr, 0);
  tracer_ = -1;
  return parse_summary(output_.text());
}

std::string describe(const Syscalls& calls, std::uint64_t messages) {
  std::vector<std::pair<std::uint64_t, std::string>> sorted;
  for (const auto& [name, count] : calls) sorted.emplace_back(count, name);
  std::sort(sorted.rbegin(), sorted.rend());
  std::string text;
  for (const auto& [count, name] : sorted) {
    const double each = static_cast<double>(count) / static_cast<double>(messages);
    if (each < 0.01) break;
    std::array<char, 64> part;
    std::snprintf(part.data(), part.size(), "%s%s %.2f", text.empty() ? "" : ", ", name.c_str(),
                  each);
    text += part.data();
  }
  return text;
}

}  // namespace berth::bench
