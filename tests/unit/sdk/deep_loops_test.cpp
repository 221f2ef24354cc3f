#include "sdk/deep_loops.hpp"

#include <doctest/doctest.h>

namespace berth {
namespace {

TEST_CASE("a loop over tasks that never wait needs no stack") {
  CHECK(run(count_tasks) == kMany);
  CHECK(run(count_pairs) == kMany / 10 * 2);
  CHECK(run(count_faults) == kMany / 100);
  CHECK(run_reads(100'000) == 100'000);
}

}  // namespace
}  // namespace berth
