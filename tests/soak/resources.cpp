#include "resources.hpp"

#include <fstream>
#include <map>

#include "processes.hpp"

namespace soak {

namespace {

std::uint64_t number_in(const std::string& file, const std::string& name) {
  std::ifstream in(file);
  for (std::string word; in >> word;) {
    std::uint64_t number = 0;
    if (word == name && in >> number) return number;
  }
  return 0;
}

using Families = std::multimap<pid_t, pid_t>;  // parents and their children

void add(pid_t pid, const Families& families, Resources& sum) {
  const std::string folder = "/proc/" + std::to_string(pid);
  ++sum.processes;
  sum.threads += number_in(folder + "/status", "Threads:");
  sum.descriptors += e2e::open_descriptors(pid);
  sum.memory_kib += number_in(folder + "/smaps_rollup", "Pss_Anon:");
  const auto [first, last] = families.equal_range(pid);
  for (auto child = first; child != last; ++child) add(child->second, families, sum);
}

}  // namespace

Resources resources_of(pid_t root) {
  Families families;  // all at once: looking for each one's children would take for ever
  for (const auto& process : e2e::all_processes()) families.emplace(process.parent, process.pid);
  Resources sum;
  add(root, families, sum);
  return sum;
}

std::string Resources::text() const {
  return std::to_string(processes) + " processes, " + std::to_string(threads) + " threads, " +
         std::to_string(descriptors) + " descriptors, " + std::to_string(memory_kib) + " KiB";
}

}  // namespace soak
