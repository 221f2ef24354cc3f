#include "supervise/child_job.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>

#include "serve/epoll_demultiplexer.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;

void say(int to, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(to, text.data() + done, text.size() - done);
    if (count <= 0) return;
    done += static_cast<std::size_t>(count);
  }
}

// A job whose child is waited for as the supervisor does it, without its signals.
struct Rig {
  EventLoop loop{std::make_unique<EpollDemultiplexer>()};
  ChildJob job{loop};
  std::optional<Result<std::string>> answer;

  Result<std::string> run(std::function<int(int)> work, Duration limit = 30s,
                          std::vector<int> kept = {}) {
    REQUIRE(job.start(std::move(kept), std::move(work), limit,
                      [this](Result<std::string> said) { answer = std::move(said); }));
    wait();
    REQUIRE(answer);
    return *answer;
  }

  void wait() {
    CallTimer look(loop.timers(), [&] {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG);
      if (pid > 0) {
        CHECK(job.on_death(pid, status));
        return loop.stop();
      }
      look.arm(after(Clock::now(), 1ms));
    });
    look.arm(Clock::now());
    loop.run();
    CHECK_FALSE(job.running());
  }
};

TEST_CASE("a job's answer arrives whole, however long") {
  const std::string text(1 << 20, 'x');
  Rig rig;
  const auto answer = rig.run([&](int to) {
    say(to, text);
    return 0;
  });
  REQUIRE(answer);
  CHECK(answer.value() == text);
}

TEST_CASE("a job that fails says why") {
  Rig rig;
  const auto said = rig.run([](int to) {
    say(to, "it is broken");
    return 1;
  });
  REQUIRE_FALSE(said);
  CHECK(said.error().message == "it is broken");
  const auto silent = rig.run([](int) { return 3; });
  REQUIRE_FALSE(silent);
  CHECK(silent.error().message == "ended with status 3");
}

TEST_CASE("a job that crashes is named by its signal") {
  Rig rig;
  const auto crashed = rig.run([](int) { return ::raise(SIGKILL); });
  REQUIRE_FALSE(crashed);
  CHECK(crashed.error().message == "was killed by SIGKILL");
}

TEST_CASE("a job that takes too long is killed") {
  Rig rig;
  const auto late = rig.run([](int) { return ::pause(); }, 20ms);
  REQUIRE_FALSE(late);
  CHECK(late.error().message == "did not come to an end within 20ms");
}

TEST_CASE("a job has none of the descriptors that it was not given, and no signal blocked") {
  const Fd secret(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Fd given(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  Rig rig;
  const auto work = [&](int) {
    sigset_t blocked;
    ::sigprocmask(SIG_BLOCK, nullptr, &blocked);
    return ::fcntl(secret.get(), F_GETFD) < 0 && ::fcntl(given.get(), F_GETFD) >= 0 &&
                   ::sigismember(&blocked, SIGTERM) == 0 && ::getpgrp() == ::getpid()
               ? 0
               : 1;
  };
  sigset_t term, before;
  ::sigemptyset(&term);
  ::sigaddset(&term, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &term, &before);
  CHECK(rig.run(work, 30s, {given.get()}));
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("a job that is cancelled is killed, and nothing is told") {
  Rig rig;
  REQUIRE(rig.job.start(
      {}, [](int) { return ::pause(); }, 30s,
      [&](Result<std::string> said) { rig.answer = std::move(said); }));
  rig.job.cancel();
  rig.wait();
  CHECK_FALSE(rig.answer);
}

TEST_CASE("the end of some other process is none of a job's") {
  Rig rig;
  CHECK_FALSE(rig.job.on_death(::getpid(), 0));
}

}  // namespace
}  // namespace berth
