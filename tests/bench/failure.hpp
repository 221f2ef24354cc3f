// What ends a measurement: its text is for the person who started it.
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace berth::bench {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// With the system's words for errno.
inline Failure system_failure(const std::string& what) {
  return Failure(what + ": " + std::strerror(errno));
}

}  // namespace berth::bench
