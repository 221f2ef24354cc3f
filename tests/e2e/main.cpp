// The end-to-end tests: boots the real host and talks to it over real sockets.
#include "test_program.hpp"

int main(int argc, char** argv) { return e2e::run_test_program(argc, argv); }
