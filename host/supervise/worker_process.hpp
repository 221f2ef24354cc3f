// The process of one worker as the supervisor keeps it: its channel, its heartbeat, its board. What
// becomes of the worker is decided elsewhere (host_life.hpp): this tells what has happened to it
// and does what it is told. A worker that dies and is started again is the same WorkerProcess with
// another process.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>

#include "base/log.hpp"
#include "base/secret.hpp"
#include "serve/event_loop.hpp"
#include "serve/source_table.hpp"
#include "supervise/listening.hpp"
#include "supervise/protocol.hpp"
#include "supervise/worker_board.hpp"
#include "supervise/worker_life.hpp"

namespace berth {

class WorkerProcess {
 public:
  // What it is; all of it outlives the worker.
  struct Identity {
    const ListenerSettings& settings;
    const std::filesystem::path& handler;
    const ListeningSockets& sockets;
    unsigned index;
    SourceTable* sources = nullptr;  // of the listener, if it limits its sources
    Secret ticket_keys = {};         // of the listener, if it has TLS
  };
  // What another binary is given of it, and what this one was.
  struct HandedOver {
    pid_t pid = 0;  // 0: it has no process at the moment
    int channel = -1;
    int board = -1;
    unsigned starts = 0;
  };

  // `happened` is told of ready, silent, died and restart.
  WorkerProcess(Identity identity, EventLoop& loop, Log& log,
                std::function<void(WorkerEvent)> happened);
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  void start();
  void order_serve();
  // `handed_over`: another worker accepts from the same sockets.
  void order_drain(bool handed_over);
  void kill_worker();
  void kill_group();
  void restart_in(Duration delay);
  void reopen_log();
  // Its process has ended with this status of waitpid(2).
  void on_death(int status);

  // Its descriptors stay this object's.
  [[nodiscard]] HandedOver hand_over() const;
  // Goes on with the process of a former binary's. Takes the descriptors over.
  [[nodiscard]] Result<void> adopt(const HandedOver& former);

  [[nodiscard]] pid_t pid() const { return pid_; }  // 0: none
  // How often its process has been started.
  [[nodiscard]] unsigned starts() const { return starts_; }
  // What its process says that it has done. Only to be shown.
  [[nodiscard]] WorkerCounters counters() const { return board_->counters(); }

 private:
  // What it was told last; how its silence and its end are to be taken.
  enum class Told { nothing, to_drain, to_end };

  void on_report();
  void on_silence();
  void expect_heartbeat(Duration within);
  void watch(Duration first_sign_within);
  void tell_death(int status);
  [[nodiscard]] pid_t fork_with_secrets() const;
  void tell_why_not(const WorkerReport& report);
  [[nodiscard]] std::string name() const;

  Identity identity_;
  EventLoop& loop_;
  Log& log_;
  std::function<void(WorkerEvent)> happened_;
  pid_t pid_ = 0;
  unsigned starts_ = 0;
  Told told_ = Told::nothing;
  bool ready_ = false;
  Fd channel_;
  SharedBoard board_;
  CallWatcher report_watcher_;
  CallTimer silence_;
  TimePoint silent_at_ = kNever;  // when silence_ was to fire
  CallTimer restart_;
};

}  // namespace berth
