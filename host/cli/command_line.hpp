// The words of the command line: what subcommands there are, what each takes, and its help.
#pragma once

#include <iosfwd>

namespace berth {

// Parses the arguments of main() and does what they say; returns the exit status. Help goes to
// `out`, what is wrong with the arguments to `err`.
[[nodiscard]] int do_command_line(int argc, const char* const* argv, std::ostream& out,
                                  std::ostream& err);

}  // namespace berth
