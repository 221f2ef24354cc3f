#include "base/pages.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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

struct Answering {
  virtual ~Answering() = default;
  virtual int answer() = 0;
};
struct Six final : Answering {
  int answer() override { return 6; }
};

// The maps of this process that are of such a file.
std::vector<std::string> maps_of(std::string_view file) {
  std::vector<std::string> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(file) != std::string::npos) found.push_back(line);
  }
  return found;
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

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("relocations mapped from a file are what they were, and still not to be written") {
  const pid_t pid = ::fork();  // since it is for good
  if (pid == 0) {
    const std::unique_ptr<Answering> six = std::make_unique<Six>();
    map_relocations_from_file();
    const std::vector<std::string> maps = maps_of("berth relocations");
    const bool sealed = maps.size() == 1 && maps[0].find(" r--p ") != std::string::npos;
    ::_exit(sealed ? six->answer() : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 6);
}
#endif
