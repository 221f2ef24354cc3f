#include "supervise/child_job.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <exception>

#include "base/quantities.hpp"
#include "base/signal_name.hpp"
#include "base/write_all.hpp"

namespace berth {

namespace {

// More than any answer; a child that says more is not listened to.
constexpr std::size_t kLongestAnswer = std::size_t{16} << 20;

[[noreturn]] void work_in_child(const std::function<int(int)>& work, std::vector<int> kept,
                                int answer) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  kept.insert(kept.end(), {0, 1, 2, answer});
  close_all_but(std::move(kept));
  int status = EXIT_FAILURE;
  try {
    status = work(answer);
  } catch (const std::exception& fault) {
    (void)write_all(answer, fault.what());
  }
  ::_exit(status);
}

}  // namespace

ChildJob::ChildJob(EventLoop& loop)
    : loop_(loop),
      watcher_([this] { read_answer(); }),
      timer_(loop.timers(), [this] { on_time_up(); }) {}

ChildJob::~ChildJob() { cancel(); }

Result<void> ChildJob::start(std::vector<int> kept, std::function<int(int answer)> work,
                             Duration limit, Done done) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return system_error("cannot make a pipe", errno);
  answer_ = Fd(ends[0]);
  const Fd child_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return system_error("cannot start a process", errno);
  if (pid == 0) work_in_child(work, std::move(kept), child_end.get());
  ::setpgid(pid, pid);
  ::fcntl(answer_.get(), F_SETFL, O_NONBLOCK);
  pid_ = pid;
  text_.clear();
  in_time_ = true;
  limit_ = limit;
  done_ = std::move(done);
  watcher_.start(loop_.demultiplexer(), answer_.get());
  timer_.arm(after(Clock::now(), limit));
  return {};
}

void ChildJob::read_answer() {
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t count = ::read(answer_.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0 || text_.size() > kLongestAnswer) return watcher_.stop();
    text_.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

void ChildJob::on_time_up() {
  in_time_ = false;
  (void)::kill(-pid_, SIGKILL);
}

bool ChildJob::on_death(pid_t pid, int status) {
  if (pid != pid_) return false;
  read_answer();  // what came last
  watcher_.stop();
  timer_.disarm();
  (void)::kill(-pid_, SIGKILL);  // what it may have started
  pid_ = 0;
  answer_.reset();
  const Done done = std::exchange(done_, nullptr);
  if (!done) return true;
  if (!in_time_) {
    done(Error{"did not come to an end within " + format_duration(limit_)});
  } else if (WIFSIGNALED(status)) {
    done(Error{"was killed by " + signal_name(WTERMSIG(status))});
  } else if (WEXITSTATUS(status) != 0) {
    done(Error{text_.empty() ? "ended with status " + std::to_string(WEXITSTATUS(status)) : text_});
  } else {
    done(std::move(text_));
  }
  return true;
}

void ChildJob::cancel() {
  done_ = nullptr;
  if (pid_ != 0) (void)::kill(-pid_, SIGKILL);
}

}  // namespace berth
