#include "supervise/supervisor.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/format.hpp"
#include "base/quantities.hpp"
#include "base/signal_name.hpp"
#include "serve/epoll_demultiplexer.hpp"

namespace berth {

Supervisor::Supervisor(Setup setup, Log& log, ServiceManager& manager, ActivatedSockets activated)
    : setup_(std::move(setup)),
      log_(log),
      manager_(manager),
      loop_(std::make_unique<EpollDemultiplexer>()),
      listeners_(loop_, log_, std::move(activated),
                 {.worker =
                      [this](WorkerId worker, WorkerEvent event) {
                        carry_out(life_.on_worker(worker, event, Clock::now()));
                      },
                  .sessions_left = [this](ListenerId id) { life_.on_sessions_left(id); },
                  .sessions_gone = [this](ListenerId id) { carry_out(life_.on_sessions_gone(id)); },
                  .overdue = [this](ListenerId id) { carry_out(life_.on_overdue(id)); }}),
      signal_watcher_([this] { on_signal(); }),
      alive_(loop_.timers(), [this] { keep_alive(); }),
      job_(loop_),
      files_(loop_, [this] { want(Wish::reload, "a file has changed"); }),
      control_(loop_, log_, [this](const ControlRequest& request, ControlClient client) {
        on_request(request, client);
      }) {}

Supervisor::~Supervisor() = default;

Result<void> Supervisor::run(CheckedConfig config) {
  watch_signals();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  generation_ = std::make_shared<Generation>(Generation{1, std::move(config)});
  const Plan plan = listeners_.plan(generation_->config, life_, false);
  if (auto bound = listeners_.bind(plan, generation_, life_); !bound) return bound;
  if (auto opened = open_control(); !opened) return opened;
  carry_out(life_.start(plan));
  watch_files();
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
  const std::string name = signal_name(signal);
  switch (signal) {
    case SIGCHLD:
      return on_children();
    case SIGINT:
      if (life_.stopping()) return stop_now(name.c_str());
      [[fallthrough]];
    case SIGTERM:
      return stop(name.c_str());
    case SIGQUIT:
      return stop_now(name.c_str());
    case SIGHUP:
      return want(Wish::reload, name.c_str());
    case SIGUSR1:
      return reopen_logs();
    case SIGUSR2:
      return want(Wish::upgrade, name.c_str());
    default:
      return;
  }
}

void Supervisor::reopen_logs() {
  log_.reopen();
  listeners_.reopen_logs();
  log_.info("SIGUSR1: log reopened");
}

void Supervisor::on_children() {
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return;
    if (!job_.on_death(pid, status)) listeners_.on_death(pid, status);
  }
}

void Supervisor::stop(const char* why) {
  if (life_.stopping()) return;
  Duration longest = Duration::zero();
  for (const ListenerId id : life_.listeners()) {
    longest = std::max(longest, listeners_.at(id).settings().drain_timeout);
  }
  log_.info("{}: draining, at most {}", why, format_duration(longest));
  manager_.stopping("draining, at most " + format_duration(longest),
                    longest + ServedListener::kOverdue);
  job_.cancel();
  refuse_what_waits();
  carry_out(life_.stop());
}

void Supervisor::stop_now(const char* why) {
  log_.warn("{}: ending at once", why);
  manager_.stopping("ending at once", ServedListener::kOverdue);
  job_.cancel();
  refuse_what_waits();
  carry_out(life_.stop_now());
}

// ---- What the policy says ----

void Supervisor::carry_out(HostLife::Actions actions) {
  to_do_.insert(to_do_.end(), actions.begin(), actions.end());
  if (doing_) return;
  doing_ = true;
  while (!to_do_.empty()) {
    const HostAction action = to_do_.front();
    to_do_.pop_front();
    carry_out(action);
  }
  doing_ = false;
  announce_when_settled();
}

void Supervisor::carry_out(const HostAction& action) {
  const auto listener = [&]() -> ServedListener& { return listeners_.at(action.listener); };
  const auto worker = [&]() -> WorkerProcess& { return listener().worker(action.worker); };
  switch (action.kind) {
    case HostAction::start_worker:
      return worker().start();
    case HostAction::order_serve:
      return worker().order_serve();
    case HostAction::order_drain:
      return worker().order_drain(listener().handed_over());
    case HostAction::kill_worker:
      return worker().kill_worker();
    case HostAction::kill_group:
      return worker().kill_group();
    case HostAction::kill_sessions:
      return listener().kill_sessions();
    case HostAction::restart_later:
      return worker().restart_in(action.delay);
    case HostAction::give_up:
      return listener().give_up(action.worker, life_.all(action.listener, WorkerState::failed));
    case HostAction::begin_leaving:
      return listener().begin_leaving(listeners_.is_handed_over(action.listener, life_));
    case HostAction::out_of_service:
      return answer_drained(action.listener, "is out of service");
    case HostAction::forget:
      answer_drained(action.listener, "has ended");
      return listeners_.forget(action.listener);
    case HostAction::check_config:
      return check_config();
    case HostAction::check_binary:
      return check_binary();
    case HostAction::bind:
      return bind_next();
    case HostAction::replace_binary:
      return replace_binary();
    case HostAction::change_done:
      return on_change_done();
    case HostAction::change_failed:
      return on_change_failed();
    case HostAction::end:
      answer_all(asked_to_stop_, answer_ok("the host has stopped"));
      return loop_.stop();
  }
}

void Supervisor::announce_when_settled() {
  if (announced_ || life_.stopping() || !life_.settled()) return;
  announced_ = true;
  std::size_t all = 0;
  std::size_t failed = 0;
  for (const ListenerId id : life_.listeners()) {
    if (life_.phase(id) != ListenerPhase::current) continue;
    ++all;
    if (life_.all(id, WorkerState::failed)) ++failed;
  }
  const std::string state = failed > 0 ? formatted("{} listeners, of which {} failed", all, failed)
                                       : formatted("{} listeners", all);
  log_.write(failed > 0 ? LogLevel::warn : LogLevel::info, "berth is ready: " + state);
  manager_.ready(state);
}

}  // namespace berth
