// `signal-fork`: a process for each connection, reaped by the kernel because SIGCHLD is ignored.
// The worker learns of each end from a pidfd, since no wait(2) tells of a process that the kernel
// reaps.
#include <signal.h>
#include <unistd.h>
// glibc 2.36 forgets to say that these are C functions.
extern "C" {
#include <sys/pidfd.h>
}

#include <cerrno>

#include "model/process_model.hpp"
#include "model/rows.hpp"

namespace berth {

namespace {

class SignalForkModel final : public ProcessModel {
 public:
  explicit SignalForkModel(ModelContext context) : ProcessModel(std::move(context)) {
    ::signal(SIGCHLD, SIG_IGN);
  }

 private:
  // A process, by its pidfd; readable when it has ended.
  struct Process final : Watcher {
    Process(SignalForkModel& owner, SlotIndex slot) : model(owner), index(slot) {}
    void on_ready() override { model.on_end(*this); }

    SignalForkModel& model;
    SlotIndex index;
    Fd pidfd;
    Watch watch;
  };

  [[nodiscard]] bool watch_process(SlotIndex index, pid_t pid) override;
  void on_end(Process& process);
  void leave_worker(SlotIndex) override;
  void send_signal(SlotIndex index, int signal) override {
    (void)::pidfd_send_signal(processes_[index]->pidfd.get(), signal, nullptr, 0);
  }

  std::vector<std::unique_ptr<Process>> processes_;  // by slot
};

bool SignalForkModel::watch_process(SlotIndex index, pid_t pid) {
  if (index >= processes_.size()) processes_.resize(index + 1);
  auto& process = processes_[index];
  if (!process) process = std::make_unique<Process>(*this, index);
  process->pidfd = Fd(::pidfd_open(pid, 0));
  if (!process->pidfd) {
    if (errno != ESRCH) return false;
    on_process_end(index, 0);  // it has served and gone already
    return true;
  }
  return process->watch.start(context_.loop.demultiplexer(), process->pidfd.get(), *process);
}

void SignalForkModel::leave_worker(SlotIndex) {
  ::signal(SIGCHLD, SIG_DFL);  // so that the handler's own wait(2), system(3) and popen(3) work
  // Where its descriptors are limited, those that stand for the other sessions are not its own.
  if (context_.sessions.settings.resources.descriptors == 0) return;
  for (const auto& process : processes_) {
    if (process) process->pidfd.reset();
  }
}

void SignalForkModel::on_end(Process& process) {
  process.watch.stop();
  process.pidfd.reset();
  on_process_end(process.index, 0);
}

}  // namespace

const ModelRow kSignalForkModel = {
    .name = "signal-fork",
    .summary = "a process for each connection, reaped by the kernel",
    .isolates = "every connection: a crash or a leak ends with the one it happened in",
    .shares = "nothing: a session sees the handler as it was when it was created",
    .costs = "as fork, and a descriptor of the worker's a connection; never a zombie",
    .choose = "as fork, where not even a short-lived <defunct> may be seen",
    .blocking_sockets = true,
    .process_per_session = true,
    .descriptors_per_connection = 1,
    .keys = {},
    .most_sessions = any_number,
    .make_loop = make_epoll_loop,
    .make = [](ModelContext context) -> std::unique_ptr<Model> {
      return std::make_unique<SignalForkModel>(std::move(context));
    },
    .objection = [](const ListenerSettings&) { return std::optional<std::string>(); },
};

}  // namespace berth
