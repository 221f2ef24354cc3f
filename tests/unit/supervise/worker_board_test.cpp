#include "supervise/worker_board.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

TEST_CASE("what a worker counts is seen by the supervisor until the board is cleared") {
  const SharedBoard board = make_board();
  CHECK(board->counters().accepted == 0);
  CHECK(board->counters().open == 0);
  const pid_t worker = ::fork();
  REQUIRE(worker >= 0);
  if (worker == 0) {
    board->accepted = 7;
    board->open = 3;
    ++board->denied.by_kind[static_cast<std::size_t>(Denial::address)];
    board->denied.by_kind[static_cast<std::size_t>(Denial::source)] = 4;
    board->crash.connection = 5;
    board->crash.signal = SIGSEGV;
    ::_exit(0);
  }
  REQUIRE(::waitpid(worker, nullptr, 0) == worker);
  CHECK(board->counters().accepted == 7);
  CHECK(board->counters().open == 3);
  CHECK(board->counters().denied_by_address == 1);
  CHECK(board->counters().denied_per_source == 4);
  CHECK(board->crash.signal == SIGSEGV);
  board->clear();
  CHECK(board->counters().accepted == 0);
  CHECK(board->counters().open == 0);
  CHECK(board->counters().denied_by_address == 0);
  CHECK(board->counters().denied_per_source == 0);
  CHECK(board->crash.signal == 0);
  CHECK(board->crash.connection == 0);
}

}  // namespace
}  // namespace berth
