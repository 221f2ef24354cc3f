// Starts programs.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

// Starts the program of the file command[0] with `environment` (NAME=VALUE), in a process group of
// its own, with these as its standard input, output and error (-1: /dev/null) and no other
// descriptors. Signals are as for a program that a shell starts, whatever this process does with
// them. Blocks for as long as the disk does. Throws std::system_error.
[[nodiscard]] pid_t spawn(const std::vector<std::string>& command,
                          const std::vector<std::string>& environment,
                          const std::array<int, 3>& standard);
