// Measures one workload over the servers of one contest, side by side.
//
// Machines drift by far more than the host may cost, so all servers of a comparison run at once and
// are loaded one at a time in short rounds, in an order that rotates; only ratios within a round
// count. The second copy of the reference is measured like the host, and shows the noise.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "options.hpp"
#include "statistics.hpp"
#include "subject.hpp"

namespace berth::bench {

struct Sample {
  double rate = 0;      // messages, or short connections, per second
  double cpu_time = 0;  // the server's, in seconds a message
};

// One server of a comparison.
struct Measured {
  std::string server;
  std::vector<Sample> rounds;
  std::string syscalls;    // a message; empty if not counted
  double idle_memory = 0;  // bytes a connection
  std::string failure;     // why it is left out from now on; empty if it is not
};

struct Comparison {
  Subject subject;
  Workload workload;
  int workers;
  std::vector<Measured> servers;  // the reference comes first, its copy second
  std::vector<std::string> left_out;

  [[nodiscard]] const Measured* find(std::string_view server) const;
  // Whether the kernel tells the processor time of all of its processes.
  [[nodiscard]] bool cpu_time_known() const;
};

Estimate estimate_of(const Measured& server, double Sample::*value);
// Of the ratios within the rounds.
Estimate ratio_of(const Measured& server, const Measured& reference, double Sample::*value);

// Is told of each step, for people who wait.
using Progress = std::function<void(const std::string&)>;

// Throws Failure, with what the servers wrote, if a server errs that is not optional.
Comparison measure(const Options& options, const Subject& subject, const Workload& workload,
                   const Progress& progress);

}  // namespace berth::bench
