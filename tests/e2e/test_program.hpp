// What every program of tests that boots hosts does: reaps what they leave behind, holds as many
// descriptors as it may, and leaves out the models that cannot be had here.
#pragma once

namespace e2e {

// Runs the test cases that the command line chooses (`--help` of doctest); the exit status.
int run_test_program(int argc, char** argv);

}  // namespace e2e
