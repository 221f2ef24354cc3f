#include "supervise/supervisor.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/quantities.hpp"
#include "base/signal_name.hpp"
#include "serve/epoll_demultiplexer.hpp"

namespace berth {

namespace {

// What workers have, after the longest drain, to cancel their sessions and to end.
constexpr Duration kOverdue = std::chrono::seconds(3);

}  // namespace

Supervisor::Supervisor(HostSettings settings, std::vector<std::filesystem::path> handlers, Log& log,
                       ServiceManager& manager, ActivatedSockets activated)
    : settings_(std::move(settings)),
      handlers_(std::move(handlers)),
      log_(log),
      manager_(manager),
      activated_(std::move(activated)),
      loop_(std::make_unique<EpollDemultiplexer>()),
      signal_watcher_([this] { on_signal(); }),
      deadline_(loop_.timers(), [this] { on_deadline(); }),
      overdue_(loop_.timers(), [this] { on_overdue(); }),
      alive_(loop_.timers(), [this] { keep_alive(); }) {}

Supervisor::~Supervisor() = default;

Result<void> Supervisor::run() {
  watch_signals();
  auto sockets = bind_all(settings_, log_, std::move(activated_));
  if (!sockets) return sockets.error();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (std::size_t i = 0; i < settings_.listeners.size(); ++i) {
    listeners_.push_back(std::make_unique<ServedListener>(
        settings_.listeners[i], handlers_[i], std::move((*sockets)[i]), generation_, loop_, log_,
        [this] { on_listener_change(); }));
  }
  for (const auto& listener : listeners_) listener->start();
  keep_alive();
  loop_.run();
  log_.info("berth has stopped");
  return {};
}

void Supervisor::keep_alive() {
  manager_.alive();
  alive_.arm(after(Clock::now(), manager_.alive_interval()));
}

// ---- Signals ----

void Supervisor::watch_signals() {
  sigset_t watched;
  ::sigemptyset(&watched);
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD}) {
    ::sigaddset(&watched, signal);
  }
  // Ignored dispositions are inherited over exec: with SIGCHLD ignored no child could be waited
  // for.
  ::signal(SIGCHLD, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
  ::sigprocmask(SIG_BLOCK, &watched, nullptr);
  signals_ = Fd(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) throw std::system_error(errno, std::generic_category(), "signalfd");
  signal_watcher_.start(loop_.demultiplexer(), signals_.get());
}

void Supervisor::on_signal() {
  signalfd_siginfo signal{};
  while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
    on_signal(static_cast<int>(signal.ssi_signo));
  }
}

void Supervisor::on_signal(int signal) {
  if (signal == SIGCHLD) return on_child();
  const std::string name = signal_name(signal);
  switch (signal) {
    case SIGINT:
      if (stopping_) return stop_now(name.c_str());
      [[fallthrough]];
    case SIGTERM:
      return stop_in_order(name.c_str());
    case SIGQUIT:
      return stop_now(name.c_str());
    case SIGUSR1:
      return reopen_logs();
    default:
      log_.warn("{} is not understood by this version of berth", name);
  }
}

void Supervisor::reopen_logs() {
  log_.reopen();
  for (const auto& listener : listeners_) listener->reopen_logs();
  log_.info("SIGUSR1: log reopened");
}

// ---- Workers ----

void Supervisor::on_child() {
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid <= 0) break;
    // A dead worker may leave sessions behind; what is neither worker nor leader of a group is an
    // orphan, which is reaped now, and that is all.
    orphans_.add_group(pid);
    if (stopping_) orphans_.send_signal(SIGTERM);
    for (const auto& listener : listeners_) {
      if (listener->on_death(pid, status)) break;
    }
  }
  end_if_all_over();
}

void Supervisor::on_listener_change() {
  const bool settled = std::all_of(listeners_.begin(), listeners_.end(),
                                   [](const auto& listener) { return listener->settled(); });
  if (!announced_ && settled && !stopping_) {
    announced_ = true;
    const auto failed =
        std::count_if(listeners_.begin(), listeners_.end(),
                      [](const auto& listener) { return listener->all(WorkerState::failed); });
    const std::string state =
        failed > 0 ? fmt::format("{} listeners, of which {} failed", listeners_.size(), failed)
                   : fmt::format("{} listeners", listeners_.size());
    log_.write(failed > 0 ? LogLevel::warn : LogLevel::info, "berth is ready: " + state);
    manager_.ready(state);
  }
  end_if_all_over();
}

// ---- Stopping ----

void Supervisor::stop_in_order(const char* why) {
  if (stopping_) return;
  stopping_ = true;
  Duration longest = Duration::zero();
  for (const auto& listener : listeners_) {
    longest = std::max(longest, listener->settings().drain_timeout);
  }
  log_.info("{}: draining, at most {}", why, format_duration(longest));
  manager_.stopping("draining, at most " + format_duration(longest), longest + kOverdue);
  // First these copies, so that a worker, once it has emptied the queue, closes the last one.
  for (const auto& listener : listeners_) listener->close_sockets();
  for (const auto& listener : listeners_) listener->tell(WorkerEvent::drain);
  orphans_.send_signal(SIGTERM);
  deadline_.arm(after(Clock::now(), longest));
  overdue_.arm(after(Clock::now(), longest + kOverdue));
  end_if_all_over();
}

void Supervisor::stop_now(const char* why) {
  stopping_ = true;
  log_.warn("{}: ending at once", why);
  manager_.stopping("ending at once", kOverdue);
  for (const auto& listener : listeners_) {
    listener->close_sockets();
    listener->tell(WorkerEvent::end_now);
  }
  orphans_.send_signal(SIGKILL);
  end_if_all_over();
}

// Workers keep this deadline themselves; sessions that have lost theirs are told from here.
void Supervisor::on_deadline() {
  if (!orphans_.any()) return;
  log_.warn("drain_timeout has passed: ending the sessions of workers that died");
  orphans_.send_signal(SIGHUP);
}

void Supervisor::on_overdue() {
  log_.error("what did not end in time is killed");
  for (const auto& listener : listeners_) listener->tell(WorkerEvent::overdue);
  orphans_.send_signal(SIGKILL);
}

void Supervisor::end_if_all_over() {
  if (!stopping_ || orphans_.any()) return;
  const bool all_over = std::all_of(listeners_.begin(), listeners_.end(), [](const auto& listener) {
    return listener->all(WorkerState::over);
  });
  if (all_over) loop_.stop();
}

}  // namespace berth
