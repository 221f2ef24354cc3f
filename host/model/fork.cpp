#include "model/fork.hpp"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "model/rows.hpp"

namespace berth {

namespace {

sigset_t only(int signal) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, signal);
  return set;
}

}  // namespace

ForkModel::ForkModel(ModelContext context)
    : ProcessModel(std::move(context)), on_child_([this] { reap(); }) {
  const sigset_t child = only(SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, nullptr);
  child_signals_ = Fd(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!child_signals_) throw std::system_error(errno, std::generic_category(), "signalfd");
  on_child_.start(context_.loop.demultiplexer(), child_signals_.get());
}

void ForkModel::reap() {
  // One signal may stand for many processes: it only says that there is something to wait for.
  std::array<signalfd_siginfo, 8> told;
  (void)!::read(child_signals_.get(), told.data(), sizeof told);
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return;
    for (SlotIndex index = 0; index < slots_used(); ++index) {
      if (pid_of(index) != pid) continue;
      on_process_end(index, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
      break;
    }
  }
}

const ModelRow kForkModel = {
    .name = "fork",
    .summary = "a process for each connection, reaped by the worker",
    .isolates = "every connection: a crash or a leak ends with the one it happened in",
    .shares = "nothing: a session sees the handler as it was when it was created",
    .costs = "some 40 KiB of memory a connection, and a fork at its start",
    .choose = "long or CPU-bound work, code that is not trusted to stay up, or that leaks",
    .blocking_sockets = true,
    .process_per_session = true,
    .descriptors_per_connection = 0,
    .keys = {},
    .most_sessions = any_number,
    .make_loop = make_epoll_loop,
    .make = [](ModelContext context) -> std::unique_ptr<Model> {
      return std::make_unique<ForkModel>(std::move(context));
    },
    .objection = [](const ListenerSettings&) { return std::optional<std::string>(); },
};

}  // namespace berth
