#include "process_tree.hpp"

#include <dirent.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

namespace berth::bench {
namespace {

struct Stat {
  pid_t parent = 0;
  std::uint64_t children_ticks = 0;  // cutime and cstime
};

std::optional<Stat> read_stat(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The name stands in brackets and may hold anything, brackets too.
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  Stat stat;
  std::string skipped;
  fields >> skipped >> stat.parent;
  constexpr int kBetweenParentAndCutime = 11;
  for (int i = 0; i < kBetweenParentAndCutime; ++i) fields >> skipped;
  std::uint64_t user = 0, system = 0;
  fields >> user >> system;
  stat.children_ticks = user + system;
  return stat;
}

Duration own_time(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return {};
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc"), closedir);
  while (const dirent* entry = readdir(directory.get())) {
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
      pids.push_back(std::stoi(entry->d_name));
  }
  return pids;
}

}  // namespace

std::vector<pid_t> process_tree(pid_t root) {
  std::multimap<pid_t, pid_t> children;
  for (const pid_t pid : all_processes()) {
    if (const auto stat = read_stat(pid)) children.emplace(stat->parent, pid);
  }
  std::vector<pid_t> tree{root};
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const auto [from, to] = children.equal_range(tree[i]);
    for (auto child = from; child != to; ++child) tree.push_back(child->second);
  }
  return tree;
}

Duration cpu_time(pid_t root) {
  static const long ticks_per_second = sysconf(_SC_CLK_TCK);
  Duration total{};
  for (const pid_t pid : process_tree(root)) {
    const auto stat = read_stat(pid);
    if (!stat) continue;
    total += own_time(pid) + std::chrono::nanoseconds(stat->children_ticks * 1'000'000'000U /
                                                      static_cast<std::uint64_t>(ticks_per_second));
  }
  return total;
}

std::uint64_t memory(pid_t root) {
  std::uint64_t total = 0;
  for (const pid_t pid : process_tree(root)) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    for (std::string word; file >> word;) {
      if (word != "Pss:") continue;
      std::uint64_t kib = 0;
      file >> kib;
      total += kib * 1024;
      break;
    }
  }
  return total;
}

Duration settled_cpu_time(pid_t root) {
  constexpr auto kPause = std::chrono::milliseconds(3);
  const TimePoint give_up = Clock::now() + std::chrono::milliseconds(500);
  for (Duration before = cpu_time(root);;) {
    std::this_thread::sleep_for(kPause);
    const Duration now = cpu_time(root);
    if (now - before < kPause / 20 || Clock::now() >= give_up) return now;
    before = now;
  }
}

}  // namespace berth::bench
