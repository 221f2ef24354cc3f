// One listener of one generation: its settings, its sockets and its workers. Lives in the
// supervisor.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "serve/source_table.hpp"
#include "supervise/listening.hpp"
#include "supervise/worker_process.hpp"

namespace berth {

class ServedListener {
 public:
  // `generation` counts the configs that this host has served, from 1. `on_change` is called when a
  // worker has become ready, has failed, or is over.
  ServedListener(const ListenerSettings& settings, std::filesystem::path handler,
                 ListeningSockets sockets, unsigned generation, EventLoop& loop, Log& log,
                 std::function<void()> on_change);
  ServedListener(const ServedListener&) = delete;
  ServedListener& operator=(const ServedListener&) = delete;

  void start();
  void tell(WorkerEvent event);
  // False if the process is none of its workers.
  bool on_death(pid_t pid, int status);
  void reopen_logs();

  [[nodiscard]] bool all(WorkerState state) const;
  // Whether each worker serves or has failed.
  [[nodiscard]] bool settled() const;

  // Closes the supervisor's copies, so that a worker that drains closes the last one.
  void close_sockets();

  [[nodiscard]] const ListenerSettings& settings() const { return settings_; }

 private:
  void on_worker_change(unsigned index);
  void give_up(unsigned index);

  const ListenerSettings& settings_;
  const std::filesystem::path handler_;
  ListeningSockets sockets_;
  std::unique_ptr<SourceTable> sources_;  // with max_connections_per_source
  Log& log_;
  std::function<void()> on_change_;
  std::vector<std::unique_ptr<WorkerProcess>> workers_;
};

}  // namespace berth
