#include "program.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>

#include "spawn.hpp"

namespace {

// A socket whose one end is to be a program's.
class SocketPair {
 public:
  SocketPair() {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_) == 0) return;
    throw std::system_error(errno, std::generic_category(), "socketpair");
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;
  ~SocketPair() {
    if (ends_[0] >= 0) ::close(ends_[0]);
    ::close(ends_[1]);
  }
  [[nodiscard]] int theirs() const { return ends_[1]; }
  [[nodiscard]] int take_ours() { return std::exchange(ends_[0], -1); }

 private:
  int ends_[2] = {-1, -1};
};

void reap(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) continue;
}

// What has just been killed is not gone yet, as a rule, and this thread may have others to serve.
void reap_aside(pid_t pid) {
  if (::waitpid(pid, nullptr, WNOHANG) != 0) return;
  try {
    std::thread(reap, pid).detach();
  } catch (const std::exception&) {  // there is no thread for it, or no memory
    reap(pid);
  }
}

}  // namespace

Program::~Program() {
  if (stream_ >= 0) ::close(stream_);
  if (errors_ >= 0) ::close(errors_);
  if (pid_ == 0) return;
  // What has ended is reaped last: until then no other group can have its number.
  ::kill(-pid_, has_ended() ? SIGTERM : SIGKILL);
  reap_aside(pid_);
}

void Program::start(const std::vector<std::string>& command,
                    const std::vector<std::string>& environment, Errors errors) {
  SocketPair stream;
  std::optional<SocketPair> lines;
  int standard_error = -1;
  if (errors == Errors::client) standard_error = stream.theirs();
  if (errors == Errors::log) standard_error = lines.emplace().theirs();
  pid_ = spawn(command, environment, {stream.theirs(), stream.theirs(), standard_error});
  stream_ = stream.take_ours();
  if (lines) errors_ = lines->take_ours();
}

int Program::take_stream() { return std::exchange(stream_, -1); }
int Program::take_errors() { return std::exchange(errors_, -1); }

bool Program::has_ended() const {
  siginfo_t info{};
  const int result = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  return result != 0 || info.si_pid == pid_;
}

std::optional<std::string> Program::fault() const {
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0) return {};
  if (told_to_end_ || info.si_pid != pid_) return {};
  if (info.si_code == CLD_EXITED) {
    if (info.si_status == 0) return {};
    return "exit status " + std::to_string(info.si_status);
  }
  return std::string("killed: ") + ::strsignal(info.si_status);
}

void Program::terminate() {
  if (!std::exchange(told_to_end_, true)) ::kill(-pid_, SIGTERM);
}

void Program::kill() {
  told_to_end_ = true;
  ::kill(-pid_, SIGKILL);
}
