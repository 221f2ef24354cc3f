// One listener of one generation: its settings, its sockets, its workers, and the processes of
// sessions that have outlived a worker. Lives in the supervisor.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <vector>

#include "base/file_identity.hpp"
#include "serve/source_table.hpp"
#include "supervise/generation.hpp"
#include "supervise/listening.hpp"
#include "supervise/orphans.hpp"
#include "supervise/worker_process.hpp"

namespace berth {

class ServedListener {
 public:
  // What workers have, after the drain, to cancel their sessions and to end.
  static constexpr Duration kOverdue = std::chrono::seconds(3);

  // What it tells of.
  struct Events {
    std::function<void(unsigned worker, WorkerEvent event)> worker;
    std::function<void()> sessions_left;  // of a worker that is dead
    std::function<void()> sessions_gone;
    std::function<void()> overdue;
  };

  // The listener that stands at `place` in its generation's config.
  ServedListener(SharedGeneration generation, std::size_t place, ListeningSockets sockets,
                 EventLoop& loop, Log& log, Events events);
  ServedListener(const ServedListener&) = delete;
  ServedListener& operator=(const ServedListener&) = delete;

  [[nodiscard]] WorkerProcess& worker(unsigned index) { return *workers_[index]; }
  [[nodiscard]] const WorkerProcess& worker(unsigned index) const { return *workers_[index]; }
  // False if the process is none of its workers.
  bool on_death(pid_t pid, int status);
  // A child that was none of a worker's has been reaped: some session's, maybe the last one.
  void look_for_sessions();
  void reopen_logs();

  // Goes on with what a former binary has started. A listener with such workers is not the same as
  // one that is made now, whatever the settings.
  [[nodiscard]] Result<void> adopt(unsigned index, const WorkerProcess::HandedOver& worker);
  void adopt_sessions(pid_t group);

  // Its clients are served by others from now on, or by nobody: closes the supervisor's copies of
  // the sockets, so that the last worker that drains closes them for good, and lets the deadlines
  // run, of the sessions whose worker is dead and of all that does not end in time.
  void begin_leaving(bool handed_over);
  [[nodiscard]] bool handed_over() const { return handed_over_; }
  // Of those sessions whose worker is dead.
  void kill_sessions() { orphans_.send_signal(SIGKILL); }
  // The worker has failed and is not started again.
  void give_up(unsigned index, bool all_have_failed);

  [[nodiscard]] const ListenerSettings& settings() const {
    return generation_->config.settings.listeners[place_];
  }
  [[nodiscard]] const std::filesystem::path& handler() const {
    return generation_->config.handlers[place_];
  }
  [[nodiscard]] const SharedGeneration& generation() const { return generation_; }
  [[nodiscard]] std::size_t place() const { return place_; }
  [[nodiscard]] ListeningSockets& sockets() { return sockets_; }
  [[nodiscard]] const ListeningSockets& sockets() const { return sockets_; }
  [[nodiscard]] Orphans& orphans() { return orphans_; }
  // Whether another listener of these settings, made now, would be the same: the plugin's file is
  // the one that this one was started with.
  [[nodiscard]] bool is_same_as(const ListenerSettings& settings,
                                const std::filesystem::path& handler) const;

 private:
  void tell_of_sessions_left();
  void on_deadline();
  void on_overdue();

  const SharedGeneration generation_;
  const std::size_t place_;
  const FileIdentity handler_file_;
  ListeningSockets sockets_;
  std::unique_ptr<SourceTable> sources_;  // with max_connections_per_source
  Log& log_;
  Events events_;
  Orphans orphans_;
  bool leaving_ = false;
  bool handed_over_ = false;
  bool had_sessions_left_ = false;
  bool adopted_ = false;
  CallTimer deadline_;
  CallTimer overdue_;
  std::vector<std::unique_ptr<WorkerProcess>> workers_;
};

}  // namespace berth
