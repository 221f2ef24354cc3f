// The supervisor: owns the listening sockets, starts a worker for each listener (or several),
// starts again what dies, and takes all down in order. One process, one thread; it loads no plugin.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/log.hpp"
#include "serve/event_loop.hpp"
#include "supervise/host_settings.hpp"
#include "supervise/orphans.hpp"
#include "supervise/served_listener.hpp"
#include "supervise/service_manager.hpp"

namespace berth {

class Supervisor {
 public:
  // `handlers` are the files of the listeners' handlers, in the listeners' order. Tells `manager`
  // how far it is; listens with what of `activated` belongs to the listeners.
  Supervisor(HostSettings settings, std::vector<std::filesystem::path> handlers, Log& log,
             ServiceManager& manager, ActivatedSockets activated);
  ~Supervisor();

  // Binds, starts, serves until stopped. The error is what kept it from starting.
  [[nodiscard]] Result<void> run();

 private:
  void keep_alive();
  void watch_signals();
  void on_signal();
  void on_signal(int signal);
  void on_child();
  void reopen_logs();
  void stop_in_order(const char* why);
  void stop_now(const char* why);
  void on_deadline();
  void on_overdue();
  void on_listener_change();
  void end_if_all_over();

  HostSettings settings_;
  std::vector<std::filesystem::path> handlers_;
  Log& log_;
  ServiceManager& manager_;
  ActivatedSockets activated_;
  EventLoop loop_;
  std::vector<std::unique_ptr<ServedListener>> listeners_;
  Orphans orphans_;
  Fd signals_;
  CallWatcher signal_watcher_;
  CallTimer deadline_;
  CallTimer overdue_;
  CallTimer alive_;
  unsigned generation_ = 1;
  bool announced_ = false;
  bool stopping_ = false;
};

}  // namespace berth
