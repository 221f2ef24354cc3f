// The command line.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "subject.hpp"

namespace berth::bench {

struct Options {
  std::vector<Subject> subjects;
  std::vector<const Peer*> peers;  // those of the field that are to be measured, where there is one
  std::vector<Workload> workloads;
  int rounds = 30;
  Duration round_length = std::chrono::milliseconds(250);
  std::filesystem::path bare;     // the folder of the bare servers
  std::filesystem::path berth;    // the host's program; empty: only the bare servers are measured
  std::filesystem::path plugins;  // the folder of echo.so and proxy.so
  int workers = 1;                // processes of the host's listener and of the bare servers
  std::vector<int> server_cores;  // as many as workers, as far as there are
  int load_core = 1;
  bool count_syscalls = false;
  bool markdown = false;
  std::filesystem::path csv;  // empty: none
};

// Nothing if the program has nothing more to do than to end with `status`: help was asked for, or
// the command line is wrong, which has been said then.
std::optional<Options> parse_options(int argc, char** argv, int& status);

}  // namespace berth::bench
