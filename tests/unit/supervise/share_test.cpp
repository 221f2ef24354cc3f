#include <doctest/doctest.h>

#include <algorithm>

#include "supervise/worker_start.hpp"

namespace berth {
namespace {

TEST_CASE("the workers' shares add up to the whole and differ by one at most") {
  for (unsigned total = 1; total <= 40; ++total) {
    for (unsigned workers = 1; workers <= 12; ++workers) {
      CAPTURE(total);
      CAPTURE(workers);
      unsigned sum = 0, least = total, most = 0;
      for (unsigned index = 0; index < workers; ++index) {
        const unsigned share = share_of(total, workers, index);
        sum += share;
        least = std::min(least, share);
        most = std::max(most, share);
      }
      CHECK(sum == total);
      CHECK(most - least <= 1);
    }
  }
  CHECK(share_of(4'294'967'295, 2, 0) == 2'147'483'648);
}

}  // namespace
}  // namespace berth
