#include "plugin/try_in_child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>

#include "base/fd.hpp"
#include "base/quantities.hpp"
#include "base/signal_name.hpp"
#include "base/write_all.hpp"

namespace berth {

namespace {

// The last byte of a whole answer: exit() in a plugin's constructor sends none.
constexpr char kEndOfAnswer = '\n';

// Handlers that the parent installed, and its open sockets, are nothing to a plugin's constructors.
void begin_anew(int answer) {
  close_all_but({0, 1, 2, answer});
  for (int signal = 1; signal < NSIG; ++signal) (void)::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void work_in_child(const std::function<std::string()>& work, int answer) {
  begin_anew(answer);
  std::string text;
  try {
    text = work();
  } catch (const std::exception& fault) {
    text = fault.what();
  }
  (void)write_all(answer, text + kEndOfAnswer);
  ::_exit(0);
}

// Everything up to the end of file; false when the time is up.
bool read_all(int from, TimePoint deadline, std::string& text) {
  std::array<char, 4096> buffer;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd polled = {from, POLLIN, 0};
    const int ready = ::poll(&polled, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready == 0) return false;
    if (ready < 0) continue;
    const ssize_t count = ::read(from, buffer.data(), buffer.size());
    if (count == 0) return true;
    if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

Result<std::string> try_in_child(const std::function<std::string()>& work, Duration limit) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return system_error("cannot make a pipe", errno);
  const Fd answer(ends[0]);
  Fd child_end(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return system_error("cannot start a process", errno);
  if (child == 0) work_in_child(work, child_end.get());
  child_end.reset();

  std::string text;
  const bool in_time = read_all(answer.get(), after(Clock::now(), limit), text);
  if (!in_time) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) return Error{"did not come to an end within " + format_duration(limit)};
  if (text.ends_with(kEndOfAnswer)) {
    text.pop_back();
    return text;
  }
  if (WIFSIGNALED(status)) {
    return Error{"crashed (" + signal_name(WTERMSIG(status)) + ")"};
  }
  return Error{"ended the process (exit status " + std::to_string(WEXITSTATUS(status)) + ")"};
}

}  // namespace berth
