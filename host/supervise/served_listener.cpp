#include "supervise/served_listener.hpp"

#include <signal.h>

#include <algorithm>

#include "base/quantities.hpp"
#include "supervise/restart_policy.hpp"

namespace berth {

namespace {

// Nothing for a listener that does not limit its sources.
std::unique_ptr<SourceTable> make_source_table(const ListenerSettings& settings) {
  if (settings.max_connections_per_source.connections == 0) return nullptr;
  const std::uint32_t largest_share =
      (settings.max_connections + settings.workers - 1) / settings.workers;
  return std::make_unique<SourceTable>(settings.workers, largest_share);
}

Secret make_ticket_keys(const ListenerSettings& settings) {
  return settings.tls ? Secret::random(kTicketKeySize) : Secret();
}

}  // namespace

ServedListener::ServedListener(SharedGeneration generation, std::size_t place,
                               ListeningSockets sockets, EventLoop& loop, Log& log, Events events)
    : generation_(std::move(generation)),
      place_(place),
      handler_file_(identity_of(handler())),
      sockets_(std::move(sockets)),
      sources_(make_source_table(settings())),
      ticket_keys_(make_ticket_keys(settings())),
      log_(log),
      events_(std::move(events)),
      deadline_(loop.timers(), [this] { on_deadline(); }),
      overdue_(loop.timers(), [this] { on_overdue(); }) {
  for (unsigned index = 0; index < settings().workers; ++index) {
    const WorkerProcess::Identity identity = {settings(), handler(),      sockets_,
                                              index,      sources_.get(), ticket_keys_};
    workers_.push_back(std::make_unique<WorkerProcess>(
        identity, loop, log, [this, index](WorkerEvent event) { events_.worker(index, event); }));
  }
}

bool ServedListener::is_same_as(const ListenerSettings& settings_then,
                                const std::filesystem::path& handler_then) const {
  return !adopted_ && all_reachable(sockets_) && settings() == settings_then &&
         handler() == handler_then && handler_file_ == identity_of(handler_then);
}

bool ServedListener::on_death(pid_t pid, int status) {
  for (const auto& worker : workers_) {
    if (worker->pid() != pid) continue;
    orphans_.add_group(pid);
    if (leaving_) orphans_.send_signal(SIGTERM);
    tell_of_sessions_left();
    worker->on_death(status);
    return true;
  }
  return false;
}

void ServedListener::look_for_sessions() {
  if (!had_sessions_left_ || orphans_.any()) return;
  had_sessions_left_ = false;
  events_.sessions_gone();
}

Result<void> ServedListener::adopt(unsigned index, const WorkerProcess::HandedOver& worker) {
  // Where it has no process, nothing of the former binary is left in it.
  if (worker.pid != 0) adopted_ = true;
  return workers_[index]->adopt(worker);
}

void ServedListener::adopt_sessions(pid_t group) {
  orphans_.add_group(group);
  tell_of_sessions_left();
}

void ServedListener::tell_of_sessions_left() {
  if (!orphans_.any()) return;
  had_sessions_left_ = true;
  events_.sessions_left();
}

void ServedListener::reopen_logs() {
  for (const auto& worker : workers_) worker->reopen_log();
}

void ServedListener::begin_leaving(bool handed_over) {
  leaving_ = true;
  handed_over_ = handed_over;
  for (BoundAddress& bound : sockets_) {
    bound.file.reset();
    bound.sockets.clear();
  }
  orphans_.send_signal(SIGTERM);
  const TimePoint now = Clock::now();
  deadline_.arm(after(now, settings().drain_timeout));
  overdue_.arm(after(after(now, settings().drain_timeout), kOverdue));
}

// Workers keep this deadline themselves; sessions that have lost theirs are told from here.
void ServedListener::on_deadline() {
  if (!orphans_.any()) return;
  log_.warn("listener '{}': drain_timeout has passed: ending the sessions of workers that died",
            settings().name);
  orphans_.send_signal(SIGHUP);
}

void ServedListener::on_overdue() {
  const bool any_worker = std::any_of(workers_.begin(), workers_.end(),
                                      [](const auto& worker) { return worker->pid() != 0; });
  if (!any_worker && !orphans_.any()) return;
  log_.error("listener '{}': what did not end in time is killed", settings().name);
  events_.overdue();
}

// Nobody serves these queues any more: whoever waits there is refused instead of being left to wait
// for ever, and whoever comes goes to the other workers, if any is left.
void ServedListener::give_up(unsigned index, bool all_have_failed) {
  log_.critical(
      "listener '{}': worker {} has died {} times within {}: it has failed and is not "
      "started again",
      settings().name, index, RestartPolicy::kDeaths, format_duration(RestartPolicy::kWindow));
  refuse_clients(sockets_, index, settings().workers, all_have_failed);
  if (all_have_failed) {
    return log_.critical("listener '{}' has failed: its clients are refused until a reload",
                         settings().name);
  }
  log_.warn("listener '{}': the other workers serve the clients of worker {}", settings().name,
            index);
}

}  // namespace berth
