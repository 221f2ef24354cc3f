// Waiting for what can only be looked at: the state of processes, files. What can be heard of (log
// lines, data, ends of files) is waited for where it is heard.
#pragma once

#include <chrono>
#include <thread>

#include "tested_build.hpp"

namespace e2e {

// How long anything may take before a test says that it does not come. Never how long it takes.
inline const std::chrono::seconds kPatience{tested_build().sanitized ? 60 : 30};

// True as soon as `holds()` is, false when patience is at its end.
template <class Predicate>
[[nodiscard]] bool wait_until(Predicate holds) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// For what the host must be given in time, which a busy machine may keep this process from: makes
// attempts until one of them counts. False where none did.
template <class Attempt>
[[nodiscard]] bool counts_once(Attempt attempt) {
  for (int tries = 0; tries < 10; ++tries) {
    if (attempt()) return true;
  }
  return false;
}

}  // namespace e2e
