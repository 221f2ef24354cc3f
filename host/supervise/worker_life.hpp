// The life of a worker as the supervisor sees it: all states, all events, and what follows. Policy
// on values; the supervisor carries the actions out.
#pragma once

#include <optional>
#include <string_view>

namespace berth {

enum class WorkerState {
  starting,  // forked, and not ready yet
  serving,   // has said that it is ready, and serves as soon as its listener is current
  stuck,     // killed because its heartbeat stopped; another will be started
  draining,  // told to end when its last session has
  ending,    // killed because all has to end
  waiting,   // dead, to be started again later
  failed,    // dead, and not started again
  over,      // dead, as it was told to be
};

enum class WorkerEvent {
  ready,    // it says so
  silent,   // no heartbeat for too long
  died,     // its process is gone
  restart,  // the time to start it again has come
  drain,    // it has to drain
  overdue,  // the drain's deadline, and a while more, has passed
  end_now,  // it has to end at once
};

enum class WorkerAction {
  none,
  announce,            // it can serve now
  ask_restart_policy,  // leads to waiting, or to failed
  start,               // another process
  order_drain,
  kill_worker,  // its process alone: sessions in processes of their own go on
  kill_group,   // its process and its sessions
};

struct WorkerStep {
  WorkerState state;
  WorkerAction action;
};

// "serving", and back.
[[nodiscard]] std::string_view name_of(WorkerState state);
[[nodiscard]] std::optional<WorkerState> worker_state_of(std::string_view name);

[[nodiscard]] WorkerStep next_step(WorkerState state, WorkerEvent event);

}  // namespace berth
