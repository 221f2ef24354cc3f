// The program `berth`.
#include <iostream>

#include "base/fd.hpp"
#include "cli/command_line.hpp"

int main(int argc, char** argv) {
  berth::fill_standard_descriptors();
  return berth::do_command_line(argc, argv, std::cout, std::cerr);
}
