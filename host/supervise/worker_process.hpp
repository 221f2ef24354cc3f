// One worker as the supervisor keeps it: its process, its channel, its heartbeat and its place in
// life (worker_life.hpp). Lives in the supervisor; a worker that dies and is started again is the
// same WorkerProcess with another process.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>

#include "base/log.hpp"
#include "serve/event_loop.hpp"
#include "serve/source_table.hpp"
#include "supervise/listening.hpp"
#include "supervise/protocol.hpp"
#include "supervise/restart_policy.hpp"
#include "supervise/worker_board.hpp"
#include "supervise/worker_life.hpp"

namespace berth {

class WorkerProcess {
 public:
  // What it is; all of it outlives the worker. `generation` counts the configs that this host has
  // served, from 1.
  struct Identity {
    const ListenerSettings& settings;
    const std::filesystem::path& handler;
    const WorkerSockets& sockets;
    unsigned index;
    unsigned generation;
    SourceTable* sources = nullptr;  // of the listener, if it limits its sources
  };

  WorkerProcess(Identity identity, EventLoop& loop, Log& log, std::function<void()> on_change);
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  void start();
  // Something has happened to it from outside.
  void tell(WorkerEvent event);
  // Its process has ended with this status of waitpid(2).
  void on_death(int status);
  void reopen_log();

  [[nodiscard]] pid_t pid() const { return pid_; }  // 0: none
  [[nodiscard]] WorkerState state() const { return state_; }
  // What its process says that it has done. Only to be shown.
  [[nodiscard]] WorkerCounters counters() const { return board_->counters(); }

 private:
  void act(WorkerAction action);
  void on_report();
  void on_silence();
  void expect_heartbeat(Duration within);
  void order_drain();
  void restart_or_give_up();
  void tell_death(int status);
  void tell_why_not(const WorkerReport& report);
  [[nodiscard]] std::string name() const;

  Identity identity_;
  EventLoop& loop_;
  Log& log_;
  std::function<void()> on_change_;
  WorkerState state_ = WorkerState::starting;
  pid_t pid_ = 0;
  Fd channel_;
  SharedBoard board_ = make_board();
  RestartPolicy policy_;
  CallWatcher report_watcher_;
  CallTimer silence_;
  TimePoint silent_at_ = kNever;  // when silence_ was to fire
  CallTimer restart_;
};

}  // namespace berth
