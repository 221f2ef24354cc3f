#include "plugin/try_in_child.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>

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

// Those that are blocked, ignored or caught; but for the two that the C library keeps to itself.
std::string signals_of_this_process() {
  std::string text;
  sigset_t blocked;
  ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) != 0) continue;
    if (::sigismember(&blocked, signal) == 1) text += "blocked " + std::to_string(signal) + ' ';
    if (action.sa_handler != SIG_DFL) text += "not default " + std::to_string(signal) + ' ';
  }
  return text;
}

TEST_CASE("a child begins with no signal blocked, ignored or caught") {
  sigset_t blocked, before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &blocked, &before);
  const auto ignored = ::signal(SIGPIPE, SIG_IGN);
  const auto caught = ::signal(SIGUSR1, [](int) {});
  const auto result = try_in_child(signals_of_this_process);
  ::signal(SIGUSR1, caught);
  ::signal(SIGPIPE, ignored);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  REQUIRE(result);
  CHECK(result.value() == "");
}

TEST_CASE("a child has no descriptor but the standard ones and the one for its answer") {
  const int open_here = ::dup(0);
  const auto result = try_in_child([] {
    int others = 0;
    for (int number = 3; number < 1024; ++number) others += ::fcntl(number, F_GETFD) >= 0 ? 1 : 0;
    return std::to_string(others);
  });
  ::close(open_here);
  REQUIRE(result);
  CHECK(result.value() == "1");
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
