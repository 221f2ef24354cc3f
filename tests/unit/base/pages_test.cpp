#include "base/pages.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

using namespace berth;

namespace {

struct Counter final : AbsentAfterFork {
  int count = 0;
};

// How a process ends that is forked here and writes 2 there, as wait(2) tells it.
int write_in_child(int& where) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::signal(SIGSEGV, SIG_DFL);  // which doctest catches, and a sanitizer
    *static_cast<volatile int*>(&where) = 2;
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return status;
}

}  // namespace

TEST_CASE("what is shared after a fork has what the forked process writes") {
  PagedArray<int> numbers(3, AfterFork::shared);
  CHECK(numbers.count() == 3);
  CHECK(numbers[2] == 0);
  CHECK(write_in_child(numbers[2]) == 0);
  CHECK(numbers[2] == 2);
}

TEST_CASE("what is absent after a fork the forked process does not have") {
  PagedArray<int> numbers(3, AfterFork::absent);
  numbers[2] = 1;
  CHECK(WTERMSIG(write_in_child(numbers[2])) == SIGSEGV);
  CHECK(numbers[2] == 1);
  const auto counter = std::make_unique<Counter>();
  CHECK(WTERMSIG(write_in_child(counter->count)) == SIGSEGV);
}
