#include "program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

using namespace std::chrono_literals;

namespace {

void check(int error, const char* what) {
  if (error != 0) throw std::system_error(error, std::generic_category(), what);
}

// A socket whose one end is to be a program's.
class SocketPair {
 public:
  SocketPair() {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_) != 0)
      check(errno, "socketpair");
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

class Actions {
 public:
  Actions() { check(::posix_spawn_file_actions_init(&actions_), "posix_spawn"); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  ~Actions() { ::posix_spawn_file_actions_destroy(&actions_); }

  void use(int descriptor, int as) {
    check(::posix_spawn_file_actions_adddup2(&actions_, descriptor, as), "posix_spawn");
  }
  void discard(int as) {
    check(::posix_spawn_file_actions_addopen(&actions_, as, "/dev/null", O_WRONLY, 0),
          "posix_spawn");
  }
  void close_from(int first) {
    check(::posix_spawn_file_actions_addclosefrom_np(&actions_, first), "posix_spawn");
  }
  [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

// A worker blocks signals and ignores some, and a program inherits that.
class Attributes {
 public:
  Attributes() {
    check(::posix_spawnattr_init(&attributes_), "posix_spawn");
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
  [[nodiscard]] const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

bool is_reaped(pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; }

// Killed programs that took their time; whoever starts or ends the next looks after them.
class Left {
 public:
  void add(pid_t pid) {
    const std::lock_guard lock(mutex_);
    pids_.push_back(pid);
  }
  void reap() {
    const std::lock_guard lock(mutex_);
    std::erase_if(pids_, is_reaped);
  }

 private:
  std::mutex mutex_;
  std::vector<pid_t> pids_;
};

Left& left() {
  static Left left;
  return left;
}

}  // namespace

Program::~Program() {
  if (stream_ >= 0) ::close(stream_);
  if (errors_ >= 0) ::close(errors_);
  if (pid_ == 0) return;
  // What has ended is reaped last: until then no other group can have its number.
  ::kill(-pid_, has_ended() ? SIGTERM : SIGKILL);
  reap();
}

void Program::start(const std::vector<std::string>& command,
                    const std::vector<std::string>& environment, Errors errors) {
  left().reap();
  SocketPair stream;
  std::optional<SocketPair> lines;
  Actions actions;
  actions.use(stream.theirs(), STDIN_FILENO);
  actions.use(stream.theirs(), STDOUT_FILENO);
  if (errors == Errors::client) actions.use(stream.theirs(), STDERR_FILENO);
  if (errors == Errors::discard) actions.discard(STDERR_FILENO);
  if (errors == Errors::log) actions.use(lines.emplace().theirs(), STDERR_FILENO);
  actions.close_from(STDERR_FILENO + 1);
  const Attributes attributes;
  check(::posix_spawn(&pid_, command.front().c_str(), actions.get(), attributes.get(),
                      pointers_to(command).data(), pointers_to(environment).data()),
        ("cannot start " + command.front()).c_str());
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

// What has been killed is gone in a moment, as a rule.
void Program::reap() const {
  for (int tries = 0; tries < 20; ++tries) {
    if (is_reaped(pid_)) return;
    std::this_thread::sleep_for(500us);
  }
  left().add(pid_);
}
