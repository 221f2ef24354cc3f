#include "supervise/worker_process.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "base/format.hpp"
#include "base/quantities.hpp"
#include "base/signal_name.hpp"
#include "supervise/protocol.hpp"
#include "supervise/worker_start.hpp"

namespace berth {

namespace {

// Between its start and its first sign of life a handler may load what it needs.
constexpr Duration kStartLimit = std::chrono::seconds(60);

// A timer that fires so much too late shows that this process did not run.
constexpr Duration kLate = std::chrono::milliseconds(500);

// "12 connections, 3 denied by address": what it says that it has done.
std::string served(const WorkerCounters& counters) {
  const std::uint64_t count = counters.accepted;
  const std::string denials =
      describe_denials(counters.denied_by_address, counters.denied_per_source);
  return formatted("{} connection{}{}{}", count, count == 1 ? "" : "s", denials.empty() ? "" : ", ",
                   denials);
}

// Whether a debugger holds the process: its silence then says nothing.
bool is_traced(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    if (word == "TracerPid:") return status >> word && word != "0";
  }
  return false;
}

}  // namespace

WorkerProcess::WorkerProcess(Identity identity, EventLoop& loop, Log& log,
                             std::function<void(WorkerEvent)> happened)
    : identity_(identity),
      loop_(loop),
      log_(log),
      happened_(std::move(happened)),
      report_watcher_([this] { on_report(); }),
      silence_(loop.timers(), [this] { on_silence(); }),
      restart_(loop.timers(), [this] { happened_(WorkerEvent::restart); }) {}

std::string WorkerProcess::name() const {
  return formatted("listener '{}': worker {}", identity_.settings.name, identity_.index);
}

// What is secret of this listener is this worker's too, and nobody else's.
pid_t WorkerProcess::fork_with_secrets() const {
  const auto& tls = identity_.settings.tls;
  const SharedWithChildren certificate(tls ? tls->certificate.text : Secret());
  const SharedWithChildren key(tls ? tls->key.text : Secret());
  const SharedWithChildren client_ca(tls ? tls->client_ca.text : Secret());
  const SharedWithChildren ticket_keys(identity_.ticket_keys);
  return ::fork();
}

void WorkerProcess::start() {
  auto channel = make_channel();
  const pid_t pid = channel ? fork_with_secrets() : -1;
  if (pid == 0) {
    run_worker(
        {.settings = identity_.settings,
         .index = identity_.index,
         .handler = identity_.handler,
         .sockets = sockets_of(identity_.sockets, identity_.index, identity_.settings.workers),
         .channel = std::move(channel->second),
         .board = *board_,
         .log = log_,
         .sources = identity_.sources,
         .ticket_keys = identity_.ticket_keys});
  }
  ++starts_;
  if (pid < 0) {
    log_.error("{} cannot be started: {}", name(), std::strerror(errno));
    return happened_(WorkerEvent::died);
  }
  // Done on both sides: whoever comes first, the group exists before anyone needs it.
  ::setpgid(pid, pid);
  pid_ = pid;
  channel_ = std::move(channel->first);
  told_ = Told::nothing;
  watch(kStartLimit);
}

void WorkerProcess::watch(Duration first_sign_within) {
  ready_ = false;
  report_watcher_.start(loop_.demultiplexer(), channel_.get());
  expect_heartbeat(first_sign_within);
}

// ---- What it is told ----

void WorkerProcess::order_serve() {
  log_.info("{} is ready (pid {})", name(), pid_);
  order(channel_.get(), {ToWorker::serve});
}

void WorkerProcess::order_drain(bool handed_over) {
  told_ = Told::to_drain;
  silence_.disarm();
  order(channel_.get(),
        {handed_over ? ToWorker::hand_over : ToWorker::drain, identity_.settings.drain_timeout});
}

// Without a process there is none to kill: kill(2) takes 0 for the caller's own group.
void WorkerProcess::kill_worker() {
  if (pid_ != 0) (void)::kill(pid_, SIGKILL);
}

void WorkerProcess::kill_group() {
  told_ = Told::to_end;
  silence_.disarm();
  if (pid_ != 0) (void)::kill(-pid_, SIGKILL);
}

void WorkerProcess::restart_in(Duration delay) {
  if (delay > Duration::zero()) log_.info("{} starts again in {}", name(), format_duration(delay));
  restart_.arm(after(Clock::now(), delay));
}

void WorkerProcess::reopen_log() {
  if (pid_ != 0) order_log(channel_.get(), log_.descriptor());
}

// ---- What it says ----

void WorkerProcess::on_report() {
  WorkerReport report{};
  switch (next_report(channel_.get(), report)) {
    case Heard::nothing:
      return;
    case Heard::other_side_gone:  // its death follows, or its silence
      return report_watcher_.stop();
    case Heard::message:
      break;
  }
  if (report.kind == FromWorker::cannot_start) return tell_why_not(report);
  if (told_ == Told::nothing) expect_heartbeat(identity_.settings.heartbeat_timeout);
  if (report.kind != FromWorker::ready) return;
  ready_ = true;
  happened_(WorkerEvent::ready);
}

void WorkerProcess::tell_why_not(const WorkerReport& report) {
  log_.error("{} cannot {}: {}", name(), ready_ ? "go on" : "start", report.text);
}

void WorkerProcess::expect_heartbeat(Duration within) {
  silent_at_ = after(loop_.now(), within);
  silence_.arm(silent_at_);
}

void WorkerProcess::on_silence() {
  // A supervisor that was itself stopped for a while (Ctrl-Z, a frozen container) has heard nothing
  // either: what was said meanwhile lies here unread, since a stop interrupts epoll_wait(2), or, if
  // the worker was stopped too, is yet to come.
  const TimePoint silent_at = silent_at_;
  on_report();
  if (silent_at_ != silent_at) return;
  const bool was_away = loop_.now() - silent_at > kLate;
  if (was_away) return expect_heartbeat(identity_.settings.heartbeat_timeout);
  const Duration limit = ready_ ? identity_.settings.heartbeat_timeout : kStartLimit;
  if (is_traced(pid_)) return expect_heartbeat(limit);
  log_.error(
      "{} (pid {}) has given no sign of life for {}: it is stopped, or handler '{}' holds "
      "it up; replacing it",
      name(), pid_, format_duration(limit), identity_.settings.handler);
  happened_(WorkerEvent::silent);
}

// ---- Its end ----

void WorkerProcess::on_death(int status) {
  for (WorkerReport last{}; next_report(channel_.get(), last) == Heard::message;) {
    if (last.kind == FromWorker::cannot_start) tell_why_not(last);
  }
  report_watcher_.stop();
  channel_.reset();
  silence_.disarm();
  tell_death(status);
  board_->clear();
  if (identity_.sources != nullptr) identity_.sources->clear(identity_.index);
  pid_ = 0;
  happened_(WorkerEvent::died);
}

void WorkerProcess::tell_death(int status) {
  const bool in_order = WIFEXITED(status) && WEXITSTATUS(status) == 0 && board_->crash.signal == 0;
  if ((told_ == Told::to_drain && in_order) || told_ == Told::to_end) {
    return log_.info("{} (pid {}) has ended; it served {}", name(), pid_, served(counters()));
  }
  const std::string how = WIFSIGNALED(status)
                              ? "was killed by " + signal_name(WTERMSIG(status))
                              : formatted("ended (exit status {})", WEXITSTATUS(status));
  const CrashNote& note = board_->crash;
  std::string where;
  if (note.signal != 0) {
    where = note.signal == CrashNote::kExit ? ", by exit()" : "";
    where += " in handler '" + identity_.settings.handler + "'";
    if (note.connection != 0) {
      where += formatted(", serving connection {} from {}", note.connection, note.peer.text());
    }
  }
  log_.error("{} (pid {}) {}{}; it served {} (open at its last count: {})", name(), pid_, how,
             where, served(counters()), counters().open);
}

// ---- Another binary ----

WorkerProcess::HandedOver WorkerProcess::hand_over() const {
  return {.pid = pid_, .channel = channel_.get(), .board = board_.descriptor(), .starts = starts_};
}

Result<void> WorkerProcess::adopt(const HandedOver& former) {
  Fd channel(former.channel);
  auto board = SharedBoard::adopt(Fd(former.board));
  if (!board) return board.error();
  board_ = std::move(*board);
  starts_ = former.starts;
  pid_ = former.pid;
  if (pid_ == 0) return {};
  channel_ = std::move(channel);
  watch(identity_.settings.heartbeat_timeout);
  ready_ = true;
  return {};
}

}  // namespace berth
