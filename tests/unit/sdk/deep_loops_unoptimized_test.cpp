// Built with -O0 (see CMakeLists.txt), where the compiler makes no tail calls.
#include <doctest/doctest.h>

#include "sdk/deep_loops.hpp"

namespace berth {
namespace {

TEST_CASE("a loop over tasks that never wait needs no stack without optimisation either") {
  CHECK(run(count_tasks) == kMany);
  CHECK(run(count_pairs) == kMany / 10 * 2);
  CHECK(run(count_faults) == kMany / 100);
  CHECK(run_reads(100'000) == 100'000);
}

}  // namespace
}  // namespace berth
