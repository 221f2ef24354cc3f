#include "supervise/served_listener.hpp"

#include <sys/socket.h>

#include <algorithm>

namespace berth {

namespace {

// Nothing for a listener that does not limit its sources.
std::unique_ptr<SourceTable> make_source_table(const ListenerSettings& settings) {
  if (settings.max_connections_per_source.connections == 0) return nullptr;
  const std::uint32_t largest_share =
      (settings.max_connections + settings.workers - 1) / settings.workers;
  return std::make_unique<SourceTable>(settings.workers, largest_share);
}

}  // namespace

ServedListener::ServedListener(const ListenerSettings& settings, std::filesystem::path handler,
                               ListeningSockets sockets, unsigned generation, EventLoop& loop,
                               Log& log, std::function<void()> on_change)
    : settings_(settings),
      handler_(std::move(handler)),
      sockets_(std::move(sockets)),
      sources_(make_source_table(settings)),
      log_(log),
      on_change_(std::move(on_change)) {
  for (unsigned index = 0; index < settings_.workers; ++index) {
    const WorkerProcess::Identity identity = {settings_, handler_,   sockets_[index],
                                              index,     generation, sources_.get()};
    workers_.push_back(std::make_unique<WorkerProcess>(identity, loop, log,
                                                       [this, index] { on_worker_change(index); }));
  }
}

void ServedListener::start() {
  for (const auto& worker : workers_) worker->start();
}

void ServedListener::tell(WorkerEvent event) {
  for (const auto& worker : workers_) worker->tell(event);
}

bool ServedListener::on_death(pid_t pid, int status) {
  for (const auto& worker : workers_) {
    if (worker->pid() != pid) continue;
    worker->on_death(status);
    return true;
  }
  return false;
}

void ServedListener::reopen_logs() {
  for (const auto& worker : workers_) worker->reopen_log();
}

bool ServedListener::all(WorkerState state) const {
  return std::all_of(workers_.begin(), workers_.end(),
                     [&](const auto& worker) { return worker->state() == state; });
}

bool ServedListener::settled() const {
  return std::all_of(workers_.begin(), workers_.end(), [](const auto& worker) {
    return worker->state() == WorkerState::serving || worker->state() == WorkerState::failed;
  });
}

void ServedListener::close_sockets() {
  // Emptied and not removed: the workers know them by reference.
  for (WorkerSockets& sockets : sockets_) sockets.clear();
}

// Nobody serves these queues any more: whoever waits there is refused instead of being left to wait
// for ever, and whoever comes goes to the other workers, if any is left.
void ServedListener::give_up(unsigned index) {
  // No other worker shares the sockets, so this stops nobody else. listen(2) makes them good again,
  // at the same address unless that was for the kernel to choose (port 0).
  for (const Fd& socket : sockets_[index]) (void)::shutdown(socket.get(), SHUT_RDWR);
  if (all(WorkerState::failed)) {
    return log_.critical("listener '{}' has failed: its clients are refused", settings_.name);
  }
  log_.warn("listener '{}': the other workers serve the clients of worker {}", settings_.name,
            index);
}

void ServedListener::on_worker_change(unsigned index) {
  if (workers_[index]->state() == WorkerState::failed) give_up(index);
  on_change_();
}

}  // namespace berth
