// How many datagrams are asked for at a time.
#include "serve/batch_size.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

namespace berth {
namespace {

// How many are asked for in so many calls, each time while so many wait.
std::vector<unsigned> ask(BatchSize& size, int times, unsigned waiting) {
  std::vector<unsigned> asked;
  for (int i = 0; i < times; ++i) {
    asked.push_back(size.next());
    size.on_taken(asked.back(), std::min(asked.back(), waiting));
  }
  return asked;
}

using Asked = std::vector<unsigned>;

TEST_CASE("while several datagrams come at a time, all that may be there are asked for") {
  BatchSize size(32);
  CHECK(ask(size, 3, 2) == Asked{32, 32, 32});
}

TEST_CASE("of datagrams that come one by one each fifth is asked for with others") {
  BatchSize size(32);
  CHECK(ask(size, 11, 1) == Asked{32, 1, 1, 1, 1, 32, 1, 1, 1, 1, 32});
}

TEST_CASE("datagrams that do not come one by one any more are soon taken many at a time") {
  BatchSize size(32);
  (void)ask(size, 1, 1);
  CHECK(ask(size, 6, 1000) == Asked{1, 1, 1, 1, 32, 32});
}

TEST_CASE("where there is room for one alone, that says nothing of how many come") {
  BatchSize size(32);
  size.on_taken(1, 1);
  CHECK(size.next() == 32);
}

}  // namespace
}  // namespace berth
