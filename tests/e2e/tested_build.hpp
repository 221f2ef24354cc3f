// The build whose host the tests boot: the one that they were built in, or that in the folder which
// BERTH_TESTED_BUILD names in the environment. So one program of tests tries each build, those with
// sanitizers too, without being built with them.
#pragma once

#include <string>

namespace e2e {

struct TestedBuild {
  std::string program;
  std::string plugins;   // the folder of the handlers that are shipped
  std::string handlers;  // and of those that are there for the tests
  bool sanitized;        // slower and bigger, with an allocator, threads and stacks of its own
};

// Read once, from what CMake has written down in that folder. Ends the program where it is not
// there.
[[nodiscard]] const TestedBuild& tested_build();

}  // namespace e2e
