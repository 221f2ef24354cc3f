// Loops over a million tasks and operations that never wait. Included by one source that is
// optimised and by one that is not: whether a loop needs stack is the compiler's doing. All types
// are of the including source alone, so that the linker cannot take the other's code for it.
#pragma once

#include "sdk/fake_host.hpp"

namespace berth {
namespace {

constexpr long kMany = 1'000'000;

struct Count {
  long value;
};

Task<Count> one() { co_return Count{1}; }

Task<Count> count_tasks() {
  Count total{0};
  for (long i = 0; i < kMany; ++i) {
    const Count more = co_await one();
    total.value += more.value;
  }
  co_return total;
}

Task<Count> count_pairs() {
  Count total{0};
  for (long i = 0; i < kMany / 10; ++i) {
    const auto [left, right] = co_await when_all(one(), one());
    total.value += left.value + right.value;
  }
  co_return total;
}

// A failing task takes the same way.
Task<Count> fail() {
  throw Count{1};
  co_return Count{0};
}

Task<Count> count_faults() {
  Count total{0};
  for (long i = 0; i < kMany / 100; ++i) {
    try {
      (void)co_await fail();
    } catch (const Count& thrown) {
      total.value += thrown.value;
    }
  }
  co_return total;
}

Task<Count> read_once(Connection connection) {
  const auto data = co_await connection.read();
  co_return Count{data ? 1L : 0L};
}

Task<Count> count_reads(Connection connection) {
  Count total{0};
  for (;;) {
    const Count more = co_await read_once(connection);
    if (more.value == 0) co_return total;
    total.value += more.value;
  }
}

Task<> keep(Task<Count> task, std::optional<Count>& result) { result = co_await std::move(task); }

long run(Task<Count> (*loop)()) {
  testing::FakeHost host;
  std::optional<Count> result;
  host.serve(keep(loop(), result));
  return result ? result->value : -1;
}

long run_reads(std::size_t reads) {
  testing::FakeHost host;
  host.input.assign(reads, {.data = "x"});
  std::optional<Count> result;
  host.serve(keep(count_reads(host.connection()), result));
  return result ? result->value : -1;
}

}  // namespace
}  // namespace berth
