// Measures one workload under one model: the bare server, its second copy and the host side by
// side.
//
// Machines drift by far more than the host may cost, so all servers of a comparison run at once and
// are loaded one at a time in short rounds, in an order that rotates; only ratios within a round
// count. The second copy of the reference is measured like the host, and shows the noise.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model.hpp"
#include "options.hpp"
#include "statistics.hpp"

namespace berth::bench {

// One server of a comparison. The first one is the reference, and its ratios are 1.
struct Measured {
  std::string server;
  Estimate rate;                     // messages, or short connections, per second
  Estimate rate_ratio;               // to the reference, within each round
  std::optional<Estimate> cpu_time;  // seconds a message; nothing where the kernel does not tell
  std::optional<Estimate> cpu_ratio;
  std::string syscalls;    // a message; empty if not counted
  double idle_memory = 0;  // bytes a connection
};

struct Comparison {
  const Model* model;
  Workload workload;
  std::vector<Measured> servers;  // bare, copy, and the host if it takes part
};

// Is told of each step, for people who wait.
using Progress = std::function<void(const std::string&)>;

// Throws Failure, with what the servers wrote, if any of them errs.
Comparison measure(const Options& options, const Model& model, const Workload& workload,
                   const Progress& progress);

}  // namespace berth::bench
