#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <fstream>

#include "report.hpp"
#include "table.hpp"

namespace berth::bench {
namespace {

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

std::string heading(int rounds) {
  utsname system{};
  uname(&system);
  const std::time_t now = std::time(nullptr);
  std::tm day{};
  localtime_r(&now, &day);
  std::array<char, 16> date;
  std::strftime(date.data(), date.size(), "%Y-%m-%d", &day);
  return "# machine: " + processor_name() + ", " + format("%ld", sysconf(_SC_NPROCESSORS_ONLN)) +
         " cores, " + system.sysname + " " + system.release + "\n# date: " + date.data() +
         format("\n# rounds: %d\n", rounds) +
         "subject,transport,workers,work,connections,server,quantity,value,ratio,low,high\n";
}

// Ratios are to the first server of the comparison, within the rounds.
std::string quantity(const std::string& line, const Measured& server, const Measured& reference,
                     const char* name, double Sample::*value) {
  const Estimate ratio = ratio_of(server, reference, value);
  return line + format("%s,%.9g,%.4f,%.4f,%.4f\n", name, estimate_of(server, value).median,
                       ratio.median, ratio.low, ratio.high);
}

std::string lines_of(const Comparison& comparison) {
  std::string text;
  const Measured& reference = comparison.servers.front();
  const std::string start =
      comparison.subject.name() +
      format(",%s,%d,%s,%d,", facts_of(comparison.workload.transport).name, comparison.workers,
             comparison.workload.kind->name, comparison.workload.connections);
  for (const Measured& server : comparison.servers) {
    const std::string line = start + server.server + ",";
    if (comparison.workload.kind->kind == Kind::idle) {
      text += line + format("memory,%.0f,,,\n", server.idle_memory);
      continue;
    }
    text += quantity(line, server, reference, "rate", &Sample::rate);
    if (!comparison.cpu_time_known()) continue;
    text += quantity(line, server, reference, "cpu_time", &Sample::cpu_time);
  }
  return text;
}

}  // namespace

std::string csv(const Results& results, int rounds) {
  std::string text = heading(rounds);
  for (const Comparison& comparison : results.comparisons) text += lines_of(comparison);
  if (results.start)
    text += format("host,tcp,1,start,4,host,start,%.6f,,,\n", results.start->median);
  return text;
}

}  // namespace berth::bench
