// Built with -O0 (see CMakeLists.txt).
#include <doctest/doctest.h>

#include "sdk/background_lives.hpp"

namespace berth {
namespace {

TEST_CASE("what a call in the background holds is destroyed once without optimisation too") {
  for (const LifeCase& which : kLifeCases) {
    for (const bool waits : {false, true}) {
      CAPTURE(which.name);
      const LifeRun run(which, waits, 0);
      CHECK(run.outcome == BERTH_FINISHED);
      CHECK(run.text.empty());
      CHECK(Counted::alive() == 0);
      CHECK(Counted::faults() == 0);
    }
  }
}

}  // namespace
}  // namespace berth
