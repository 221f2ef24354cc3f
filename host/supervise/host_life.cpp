#include "supervise/host_life.hpp"

#include <algorithm>

namespace berth {

namespace {

using Phase = ListenerPhase;
using Do = HostAction;

}  // namespace

// ---- What there is ----

bool HostLife::all(ListenerId id, WorkerState state) const {
  const auto& workers = listeners_.at(id).workers;
  return std::all_of(workers.begin(), workers.end(),
                     [&](const Worker& worker) { return worker.state == state; });
}

bool HostLife::any(ListenerId id, WorkerState state) const {
  const auto& workers = listeners_.at(id).workers;
  return std::any_of(workers.begin(), workers.end(),
                     [&](const Worker& worker) { return worker.state == state; });
}

bool HostLife::settled() const {
  for (const auto& [id, listener] : listeners_) {
    if (listener.phase != Phase::current) continue;
    for (const Worker& worker : listener.workers) {
      if (worker.state != WorkerState::serving && worker.state != WorkerState::failed) return false;
    }
  }
  return true;
}

bool HostLife::over(const Listener& listener) const {
  return !listener.sessions_left &&
         std::all_of(listener.workers.begin(), listener.workers.end(),
                     [](const Worker& worker) { return worker.state == WorkerState::over; });
}

std::vector<ListenerId> HostLife::listeners() const {
  std::vector<ListenerId> ids;
  for (const auto& [id, listener] : listeners_) ids.push_back(id);
  return ids;
}

std::vector<ListenerId> HostLife::in_phase(Phase phase) const {
  std::vector<ListenerId> ids;
  for (const auto& [id, listener] : listeners_) {
    if (listener.phase == phase) ids.push_back(id);
  }
  return ids;
}

// ---- The beginning ----

HostLife::Actions HostLife::start(const Plan& plan) {
  for (const PlannedListener& planned : plan) add(planned, Phase::current);
  return finish();
}

void HostLife::add(const PlannedListener& planned, Phase phase) {
  listeners_[planned.id] = {
      .phase = phase, .workers = std::vector<Worker>(planned.workers), .successor = {}};
  for (unsigned i = 0; i < planned.workers; ++i) act(Do::start_worker, planned.id, i);
}

void HostLife::adopt(ListenerId id, Phase phase, const std::vector<WorkerState>& workers) {
  Listener& listener = listeners_[id] = {.phase = phase, .workers = {}, .successor = {}};
  for (const WorkerState state : workers) listener.workers.push_back({state, {}});
}

HostLife::Actions HostLife::carry_on() {
  for (const auto& [id, listener] : listeners_) {
    for (unsigned i = 0; i < listener.workers.size(); ++i) {
      if (listener.workers[i].state == WorkerState::waiting) act(Do::restart_later, id, i);
    }
  }
  return finish();
}

// ---- Workers ----

void HostLife::act(Do::Kind kind, ListenerId listener, unsigned worker, Duration delay) {
  actions_.push_back({kind, listener, worker, delay});
}

HostLife::Actions HostLife::on_worker(WorkerId id, WorkerEvent event, TimePoint now) {
  // A timer of a listener that is gone may fire in the turn in which that went.
  if (!has(id.listener)) return {};
  tell(id, event, now);
  return finish();
}

void HostLife::tell(WorkerId id, WorkerEvent event, TimePoint now) {
  Worker& worker = listeners_.at(id.listener).workers.at(id.index);
  const WorkerStep step = next_step(worker.state, event);
  worker.state = step.state;
  follow(id, step.action, now);
}

void HostLife::tell_all(ListenerId id, WorkerEvent event) {
  // None of these events asks for the time.
  const auto count = static_cast<unsigned>(listeners_.at(id).workers.size());
  for (unsigned i = 0; i < count; ++i) tell({id, i}, event, TimePoint());
}

void HostLife::follow(WorkerId id, WorkerAction action, TimePoint now) {
  const Phase phase = listeners_.at(id.listener).phase;
  switch (action) {
    case WorkerAction::none:
      return;
    case WorkerAction::announce:
      if (phase == Phase::candidate) return commit_when_ready();
      return act(Do::order_serve, id.listener, id.index);
    case WorkerAction::ask_restart_policy:
      return restart_or_give_up(id, now);
    case WorkerAction::start:
      return act(Do::start_worker, id.listener, id.index);
    case WorkerAction::order_drain:
      return act(Do::order_drain, id.listener, id.index);
    case WorkerAction::kill_worker:
      return act(Do::kill_worker, id.listener, id.index);
    case WorkerAction::kill_group:
      return act(Do::kill_group, id.listener, id.index);
  }
}

void HostLife::restart_or_give_up(WorkerId id, TimePoint now) {
  Listener& listener = listeners_.at(id.listener);
  Worker& worker = listener.workers.at(id.index);
  if (listener.phase == Phase::candidate) {
    worker.state = WorkerState::over;
    return abandon();
  }
  if (const auto delay = worker.policy.on_death(now)) {
    return act(Do::restart_later, id.listener, id.index, *delay);
  }
  worker.state = WorkerState::failed;
  act(Do::give_up, id.listener, id.index);
}

// ---- The end of a listener ----

void HostLife::leave(ListenerId id, WorkerEvent how, std::optional<ListenerId> successor) {
  Listener& listener = listeners_.at(id);
  // One that was taken out of service has begun already, and its deadlines run.
  if (listener.phase != Phase::suspended) act(Do::begin_leaving, id);
  listener.phase = Phase::leaving;
  listener.successor = successor;
  tell_all(id, how);
}

void HostLife::end_now(ListenerId id) {
  if (listeners_.at(id).phase == Phase::leaving) {
    tell_all(id, WorkerEvent::end_now);
  } else {
    leave(id, WorkerEvent::end_now);
  }
  act(Do::kill_sessions, id);
}

HostLife::Actions HostLife::on_sessions_gone(ListenerId id) {
  listeners_.at(id).sessions_left = false;
  return finish();
}

HostLife::Actions HostLife::on_overdue(ListenerId id) {
  if (!has(id)) return {};
  tell_all(id, WorkerEvent::overdue);
  act(Do::kill_sessions, id);
  return finish();
}

HostLife::Actions HostLife::finish() {
  for (const ListenerId id : in_phase(Phase::suspended)) {
    Listener& listener = listeners_.at(id);
    if (listener.told_out_of_service || !over(listener)) continue;
    listener.told_out_of_service = true;
    act(Do::out_of_service, id);
  }
  for (const ListenerId id : in_phase(Phase::leaving)) {
    if (!over(listeners_.at(id))) continue;
    listeners_.erase(id);
    act(Do::forget, id);
  }
  if (step_ == Step::waiting) try_to_bind();
  if (step_ == Step::waiting_to_upgrade) try_to_replace_binary();
  if (stopping_ && listeners_.empty()) act(Do::end);
  return std::exchange(actions_, {});
}

HostLife::Actions HostLife::suspend(ListenerId id) {
  leave(id, WorkerEvent::drain);
  listeners_.at(id).phase = Phase::suspended;
  return finish();
}

HostLife::Actions HostLife::stop() {
  if (stopping_) return {};
  begin_stopping();
  for (const Phase phase : {Phase::current, Phase::suspended}) {
    for (const ListenerId id : in_phase(phase)) leave(id, WorkerEvent::drain);
  }
  return finish();
}

HostLife::Actions HostLife::stop_now() {
  begin_stopping();
  for (const ListenerId id : listeners()) end_now(id);
  return finish();
}

void HostLife::begin_stopping() {
  stopping_ = true;
  reload_wanted_ = upgrade_wanted_ = false;
  if (step_ != Step::none) abandon();
}

// ---- Changes ----

HostLife::Actions HostLife::want(Wish wish) {
  if (stopping_) return {};
  (wish == Wish::upgrade ? upgrade_wanted_ : reload_wanted_) = true;
  if (step_ == Step::none) begin_what_is_wanted();
  return finish();
}

void HostLife::begin_what_is_wanted() {
  if (upgrade_wanted_) {
    upgrade_wanted_ = false;
    step_ = Step::checking_binary;
    // The new binary reads the config anew; where there is no new one, a reload is still wanted.
    return act(Do::check_binary);
  }
  if (!reload_wanted_) return;
  reload_wanted_ = false;
  step_ = Step::checking;
  act(Do::check_config);
}

HostLife::Actions HostLife::change(Plan plan) {
  plan_is_of_config_ = false;
  plan_ = std::move(plan);
  try_to_bind();
  return finish();
}

HostLife::Actions HostLife::on_checked(Plan plan) {
  if (step_ != Step::checking) return {};  // stopped meanwhile
  plan_is_of_config_ = true;
  plan_ = std::move(plan);
  try_to_bind();
  return finish();
}

HostLife::Actions HostLife::on_check_failed() {
  if (step_ == Step::none) return {};
  end_change(Do::change_failed);
  return finish();
}

// At most two generations of a listener at a time: while one drains for another, that other is not
// replaced in its turn.
bool HostLife::leaves_room_for_a_third(ListenerId replaced) const {
  return std::none_of(listeners_.begin(), listeners_.end(), [&](const auto& entry) {
    const Listener& listener = entry.second;
    return listener.phase == Phase::leaving && listener.successor == replaced;
  });
}

void HostLife::try_to_bind() {
  step_ = Step::waiting;
  for (const PlannedListener& planned : plan_) {
    if (planned.replaces && !leaves_room_for_a_third(*planned.replaces)) return;
  }
  if (plan_is_of_config_ &&
      reload_wanted_) {  // the config may be another one by now, and the last one wins
    begin_what_is_wanted();
    return;
  }
  step_ = Step::binding;
  act(Do::bind);
}

HostLife::Actions HostLife::on_bound(bool all) {
  if (step_ != Step::binding) return {};
  if (!all) {
    end_change(Do::change_failed);
    return finish();
  }
  step_ = Step::starting;
  for (const PlannedListener& planned : plan_) {
    if (planned.is_new) add(planned, Phase::candidate);
  }
  commit_when_ready();
  return finish();
}

void HostLife::commit_when_ready() {
  const auto candidates = in_phase(Phase::candidate);
  const bool ready = std::all_of(candidates.begin(), candidates.end(),
                                 [this](ListenerId id) { return all(id, WorkerState::serving); });
  if (ready) commit();
}

void HostLife::commit() {
  for (const ListenerId id : in_phase(Phase::candidate)) {
    Listener& listener = listeners_.at(id);
    listener.phase = Phase::current;
    for (unsigned i = 0; i < listener.workers.size(); ++i) act(Do::order_serve, id, i);
  }
  for (const ListenerId id : listeners()) {
    if (phase(id) == Phase::leaving || is_planned(id)) continue;
    leave(id, WorkerEvent::drain, successor_of(id));
  }
  end_change(Do::change_done);
}

bool HostLife::is_planned(ListenerId id) const {
  return std::any_of(plan_.begin(), plan_.end(),
                     [&](const PlannedListener& planned) { return planned.id == id; });
}

std::optional<ListenerId> HostLife::successor_of(ListenerId id) const {
  for (const PlannedListener& planned : plan_) {
    if (planned.replaces == id) return planned.id;
  }
  return std::nullopt;
}

void HostLife::abandon() {
  for (const ListenerId id : in_phase(Phase::candidate)) end_now(id);
  end_change(Do::change_failed);
}

void HostLife::end_change(Do::Kind outcome) {
  step_ = Step::none;
  plan_.clear();
  act(outcome);
  if (!stopping_) begin_what_is_wanted();
}

HostLife::Actions HostLife::on_binary_checked() {
  if (step_ != Step::checking_binary) return {};
  step_ = Step::waiting_to_upgrade;
  return finish();
}

// The new binary takes over what serves, and no more than that.
void HostLife::try_to_replace_binary() {
  for (const auto& [id, listener] : listeners_) {
    if (listener.phase == Phase::leaving) return;
    if (listener.phase == Phase::suspended && !over(listener)) return;
  }
  step_ = Step::replacing_binary;
  act(Do::replace_binary);
}

}  // namespace berth
