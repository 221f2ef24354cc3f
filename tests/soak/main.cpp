// berth_soak [--full] [--test-case=WORDS]: what takes long, in a short form unless --full is given.
// Ends with a table of what was injected and what was lost. See run.sh.
#include <cstdio>
#include <cstring>

#include "soak.hpp"
#include "test_program.hpp"

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--full") == 0) soak::run_in_full();
  }
  const int status = e2e::run_test_program(argc, argv);
  (void)std::fputs(soak::table().c_str(), stdout);
  return status;
}
