// The life of the host as its supervisor directs it: which listeners of which generation there are,
// what their workers do, and how one generation follows another. Policy on values: it is told what
// has happened and says what is to be done; no clock of its own, no system call.
//
// A change (a reload, an upgrade, a listener that is resumed) is all or nothing: what is new is
// started beside what serves, and only when every worker of it is ready do all serve and what they
// replace drain. Until then nothing of what served has noticed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "supervise/restart_policy.hpp"
#include "supervise/worker_life.hpp"

namespace berth {

// A listener of one generation. No number is used twice.
using ListenerId = std::uint32_t;

struct WorkerId {
  ListenerId listener;
  unsigned index;
  auto operator<=>(const WorkerId&) const = default;
};

enum class ListenerPhase {
  candidate,  // part of a change that is not through: its workers start and wait
  current,    // serves
  suspended,  // taken out of service until it is resumed
  leaving,    // drains, and is then forgotten
};

// What the config is to become, or the binary with it.
enum class Wish { reload, upgrade };

// One listener as it is to be after a change.
struct PlannedListener {
  ListenerId id;  // that of a current or suspended one: it is left alone
  bool is_new = false;
  unsigned workers = 0;                // of a new one
  std::optional<ListenerId> replaces;  // of a new one
};
using Plan = std::vector<PlannedListener>;

struct HostAction {
  enum Kind {
    start_worker,    // as a new process
    order_serve,     // it may accept
    order_drain,     // it is to end when its last session has
    kill_worker,     // its process alone: sessions in processes of their own go on
    kill_group,      // its process and its sessions
    kill_sessions,   // those of the listener that have outlived their workers
    restart_later,   // WorkerEvent::restart after `delay`
    give_up,         // the worker has failed: its clients must not wait for it
    begin_leaving,   // the listener's sockets are not ours any more; its deadlines begin
    out_of_service,  // nothing of a listener that was suspended is left
    forget,          // nothing of the listener is left
    check_config,    // in a process that is thrown away; then on_checked() or on_check_failed()
    check_binary,    // the new one, likewise; then on_binary_checked() or on_check_failed()
    bind,            // the sockets of the plan; then on_bound()
    replace_binary,  // does not come back, or with on_check_failed()
    change_done,     // the plan is what is
    change_failed,   // nothing has changed
    end,             // nothing is left, and all was to end
  } kind;
  ListenerId listener = 0;
  unsigned worker = 0;
  Duration delay = Duration::zero();
};

class HostLife {
 public:
  using Actions = std::vector<HostAction>;

  // The first generation: its listeners are current from the start, and each of their workers is
  // started, again and again as the restart policy has it, until it is ready.
  [[nodiscard]] Actions start(const Plan& plan);
  // A listener that a former binary served; before anything else.
  void adopt(ListenerId id, ListenerPhase phase, const std::vector<WorkerState>& workers);
  // Starts again those adopted workers that waited for it.
  [[nodiscard]] Actions carry_on();

  [[nodiscard]] Actions on_worker(WorkerId id, WorkerEvent event, TimePoint now);
  // Processes of sessions that outlive their worker have come to be there, or the last is gone.
  void on_sessions_left(ListenerId id) { listeners_.at(id).sessions_left = true; }
  [[nodiscard]] Actions on_sessions_gone(ListenerId id);
  // The drain's deadline of a listener, and a while more, has passed.
  [[nodiscard]] Actions on_overdue(ListenerId id);

  // Begins, or will begin when the change under way is through; of several that wait one is done.
  [[nodiscard]] Actions want(Wish wish);
  // For a change that needs no check. Not while another is under way.
  [[nodiscard]] Actions change(Plan plan);
  [[nodiscard]] Actions on_checked(Plan plan);
  [[nodiscard]] Actions on_binary_checked();
  [[nodiscard]] Actions on_check_failed();
  [[nodiscard]] Actions on_bound(bool all);

  // Takes a current listener out of service.
  [[nodiscard]] Actions suspend(ListenerId id);
  [[nodiscard]] Actions stop();
  [[nodiscard]] Actions stop_now();

  [[nodiscard]] bool stopping() const { return stopping_; }
  [[nodiscard]] bool changing() const { return step_ != Step::none; }
  // A change waits for the end of a listener that leaves, so that no listener has three
  // generations.
  [[nodiscard]] bool waits_for_drain() const {
    return step_ == Step::waiting || step_ == Step::waiting_to_upgrade;
  }
  [[nodiscard]] bool has(ListenerId id) const { return listeners_.contains(id); }
  [[nodiscard]] ListenerPhase phase(ListenerId id) const { return listeners_.at(id).phase; }
  [[nodiscard]] WorkerState state(WorkerId id) const {
    return listeners_.at(id.listener).workers.at(id.index).state;
  }
  [[nodiscard]] bool all(ListenerId id, WorkerState state) const;
  [[nodiscard]] bool any(ListenerId id, WorkerState state) const;
  // Whether each worker of each current listener serves or has failed.
  [[nodiscard]] bool settled() const;
  [[nodiscard]] std::vector<ListenerId> listeners() const;

 private:
  // How far a change is.
  enum class Step {
    none,
    checking,
    waiting,  // for a listener that still leaves
    binding,
    starting,
    checking_binary,
    waiting_to_upgrade,
    replacing_binary,
  };

  struct Worker {
    WorkerState state = WorkerState::starting;
    RestartPolicy policy;
  };
  struct Listener {
    ListenerPhase phase;
    std::vector<Worker> workers;
    bool sessions_left = false;
    bool told_out_of_service = false;
    std::optional<ListenerId> successor;  // of one that leaves
  };

  void act(HostAction::Kind kind, ListenerId listener = 0, unsigned worker = 0,
           Duration delay = Duration::zero());
  // Looks what has come to its end by now. Each of the public functions ends with it.
  [[nodiscard]] Actions finish();
  void add(const PlannedListener& planned, ListenerPhase phase);

  void tell(WorkerId id, WorkerEvent event, TimePoint now);
  void tell_all(ListenerId id, WorkerEvent event);
  void follow(WorkerId id, WorkerAction action, TimePoint now);
  void restart_or_give_up(WorkerId id, TimePoint now);
  void leave(ListenerId id, WorkerEvent how, std::optional<ListenerId> successor = {});
  void end_now(ListenerId id);
  void begin_stopping();
  [[nodiscard]] bool over(const Listener& listener) const;

  void begin_what_is_wanted();
  void try_to_bind();
  void try_to_replace_binary();
  void commit_when_ready();
  void commit();
  void abandon();
  void end_change(HostAction::Kind outcome);
  [[nodiscard]] bool leaves_room_for_a_third(ListenerId replaced) const;
  [[nodiscard]] bool is_planned(ListenerId id) const;
  [[nodiscard]] std::optional<ListenerId> successor_of(ListenerId id) const;
  [[nodiscard]] std::vector<ListenerId> in_phase(ListenerPhase phase) const;

  std::map<ListenerId, Listener> listeners_;
  Actions actions_;
  Step step_ = Step::none;
  Plan plan_;
  bool plan_is_of_config_ = false;  // else of a listener that is resumed
  bool reload_wanted_ = false;      // once the change under way is through
  bool upgrade_wanted_ = false;
  bool stopping_ = false;
};

}  // namespace berth
