#include "supervise/worker_board.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

TEST_CASE("what a worker counts is seen by the supervisor until the board is cleared") {
  const SharedBoard board;
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

TEST_CASE("a board that is handed over shows what the first one showed") {
  const SharedBoard board;
  board->accepted = 7;
  auto other = SharedBoard::adopt(Fd(::dup(board.descriptor())));
  REQUIRE(other);
  CHECK((*other)->counters().accepted == 7);
  board->accepted = 8;
  CHECK((*other)->counters().accepted == 8);
}

TEST_CASE("no worker can cut a board short") {
  const SharedBoard board;
  CHECK(::ftruncate(board.descriptor(), 0) != 0);
  CHECK(::ftruncate(board.descriptor(), 1 << 20) != 0);
}

TEST_CASE("a descriptor that is no board is not taken for one") {
  CHECK_FALSE(SharedBoard::adopt(Fd()));
  CHECK_FALSE(SharedBoard::adopt(Fd(::open("/dev/null", O_RDWR | O_CLOEXEC))));
  Fd unsealed(::memfd_create("none", MFD_CLOEXEC));
  REQUIRE(::ftruncate(unsealed.get(), sizeof(WorkerBoard)) == 0);
  CHECK_FALSE(SharedBoard::adopt(std::move(unsealed)));
}

}  // namespace
}  // namespace berth
