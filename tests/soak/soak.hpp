// What the soaks share: how much of it, how far it is, and the table at the end.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "load.hpp"

namespace soak {

// The one number for ctest, the other after run_in_full().
[[nodiscard]] std::uint64_t count(std::uint64_t brief, std::uint64_t full);
void run_in_full();

// A bar on the terminal, if standard error is one; gone when it is destroyed.
class Progress {
 public:
  Progress(std::string what, std::uint64_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();
  void show(std::uint64_t done);

 private:
  std::string what_;
  std::uint64_t total_;
  std::chrono::steady_clock::time_point shown_;
};

// Waits for the end of a load, with the bar at `before` connections more than it has done.
[[nodiscard]] e2e::LoadTally wait(e2e::Load& load, Progress& progress, std::uint64_t before = 0);

// A row of the table: what was done, under which model, what was injected, what was lost of it, and
// what else was seen. The program prints them all at its end.
void add_row(std::vector<std::string> cells);
[[nodiscard]] std::string table();

}  // namespace soak
