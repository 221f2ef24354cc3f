#include "plugin/try_in_child.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

namespace berth {
namespace {

using namespace std::chrono_literals;

// As a crash ends a program that catches nothing.
std::string die_of(int signal) {
  ::signal(signal, SIG_DFL);
  ::raise(signal);
  return "still there";
}

std::string error_of(const std::function<std::string()>& work, Duration limit = 10s) {
  const auto result = try_in_child(work, limit);
  return result ? "no error" : result.error().message;
}

TEST_CASE("what a child returns arrives whole, newlines, zeros and all") {
  for (const std::string& text : {std::string(), std::string("one\ntwo\n\n"), std::string("\0x", 2),
                                  std::string(1 << 20, 'y')}) {
    const auto result = try_in_child([&] { return text; });
    REQUIRE(result);
    CHECK((result.value() == text));
  }
}

TEST_CASE("what a child throws is what it says") {
  const auto result = try_in_child([]() -> std::string { throw std::runtime_error("thrown"); });
  REQUIRE(result);
  CHECK(result.value() == "thrown");
}

TEST_CASE("a child that crashes, exits or hangs is an error that says which") {
  CHECK(error_of([] { return die_of(SIGSEGV); }) == "crashed (SIGSEGV)");
  CHECK(error_of([] { return die_of(SIGABRT); }) == "crashed (SIGABRT)");
  CHECK(error_of([]() -> std::string { ::_exit(3); }) == "ended the process (exit status 3)");
  CHECK(error_of([]() -> std::string { ::_exit(0); }) == "ended the process (exit status 0)");
  CHECK(error_of(
            []() -> std::string {
              for (;;) ::pause();
            },
            20ms) == "did not come to an end within 20ms");
}

TEST_CASE("whatever a child does, nothing of it happens here and no process is left") {
  int here = 0;
  (void)try_in_child([&] {
    here = 1;
    return std::string();
  });
  CHECK(here == 0);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}

}  // namespace
}  // namespace berth
