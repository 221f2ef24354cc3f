#include "supervise/listener_table.hpp"

#include "supervise/worker.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <optional>
#include <system_error>

namespace berth {

namespace {

// Whether it can be found by name, and stands in for what the next config says.
bool counts(ListenerId id, const HostLife& life) {
  return life.has(id) &&
         (life.phase(id) == ListenerPhase::current || life.phase(id) == ListenerPhase::suspended);
}

std::vector<std::string> names_of(const std::vector<ListenerSettings>& listeners) {
  std::vector<std::string> names;
  for (const ListenerSettings& listener : listeners) names.push_back(listener.name);
  return names;
}

}  // namespace

ListenerTable::ListenerTable(EventLoop& loop, Log& log, ActivatedSockets activated, Events events)
    : loop_(loop),
      log_(log),
      activated_(std::move(activated)),
      events_(std::move(events)),
      bury_(loop.timers(), [this] { forgotten_.clear(); }) {}

// ---- The next generation ----

std::optional<ListenerId> ListenerTable::find(const std::string& name, const HostLife& life) const {
  for (const auto& [id, listener] : listeners_) {
    if (listener->settings().name == name && counts(id, life)) return id;
  }
  return std::nullopt;
}

bool ListenerTable::can_stay(const ServedListener& listener, ListenerId id, const HostLife& life,
                             const CheckedConfig& config, std::size_t place) const {
  return !life.any(id, WorkerState::failed) &&
         listener.is_same_as(config.settings.listeners[place], config.handlers[place]);
}

Plan ListenerTable::plan(const CheckedConfig& config, const HostLife& life, bool log_changes) {
  Plan plan;
  places_.clear();
  for (std::size_t place = 0; place < config.settings.listeners.size(); ++place) {
    const ListenerSettings& settings = config.settings.listeners[place];
    const auto before = find(settings.name, life);
    // One that is out of service has no workers whom a change of the log would concern.
    const bool log_concerns =
        log_changes && before && life.phase(*before) != ListenerPhase::suspended;
    if (before && !log_concerns && can_stay(at(*before), *before, life, config, place)) {
      plan.push_back({.id = *before, .replaces = {}});
      continue;
    }
    places_[next_] = place;
    plan.push_back(
        {.id = next_++, .is_new = true, .workers = settings.workers, .replaces = before});
  }
  return plan;
}

Plan ListenerTable::plan_instead_of(ListenerId replaced, const HostLife& life) {
  Plan plan;
  places_.clear();
  for (const auto& [id, listener] : listeners_) {
    if (!counts(id, life)) continue;
    if (id != replaced) {
      plan.push_back({.id = id, .replaces = {}});
      continue;
    }
    places_[next_] = listener->place();
    plan.push_back({.id = next_++,
                    .is_new = true,
                    .workers = listener->settings().workers,
                    .replaces = replaced});
  }
  return plan;
}

std::vector<const ListeningSockets*> ListenerTable::sockets_in_use(const HostLife& life) const {
  std::vector<const ListeningSockets*> all;
  for (const auto& [id, listener] : listeners_) {
    if (life.has(id) && life.phase(id) == ListenerPhase::current) {
      all.push_back(&listener->sockets());
    }
  }
  return all;
}

Result<void> ListenerTable::bind(const Plan& plan, const SharedGeneration& generation,
                                 const HostLife& life) {
  const HostSettings& settings = generation->config.settings;
  Diagnostics problems(settings.file.string());
  activated_.keep_for(names_of(settings.listeners));
  Binder binder(sockets_in_use(life), activated_);
  std::map<ListenerId, ListeningSockets> bound;
  for (const PlannedListener& planned : plan) {
    if (!planned.is_new) continue;
    const std::size_t place = places_.at(planned.id);
    const ListeningSockets* predecessor =
        planned.replaces ? &at(*planned.replaces).sockets() : nullptr;
    bound[planned.id] = binder.bind(settings.listeners[place], predecessor, problems);
  }
  for (const ActivatedSocket& each : activated_.take_rest()) log_.warn("{}", not_wanted(each));
  if (!problems.empty()) return Error{problems.to_text()};
  return make_listeners(std::move(bound), generation);
}

// All or none.
Result<void> ListenerTable::make_listeners(std::map<ListenerId, ListeningSockets> bound,
                                           const SharedGeneration& generation) {
  std::map<ListenerId, std::unique_ptr<ServedListener>> made;
  try {
    for (auto& [id, sockets] : bound) {
      made[id] = std::make_unique<ServedListener>(generation, places_.at(id), std::move(sockets),
                                                  loop_, log_, events_of(id));
    }
  } catch (const std::system_error& fault) {
    return Error{std::string(fault.what()) +
                 (fault.code().value() == EMFILE ? " (ulimit -n raises the limit)" : "")};
  } catch (const std::bad_alloc&) {
    return system_error("cannot make a listener", ENOMEM);
  }
  for (auto& [id, listener] : made) {
    tell_listening(listener->settings(), listener->sockets(), log_);
    for (const BoundAddress& address : listener->sockets()) {
      if (address.taken_over) continue;  // others serve there; the worker does it when it does
      if (is_datagram(address.scheme)) continue;
      for (const Fd& socket : address.sockets) {
        set_send_timeout(socket.get(), send_timeout_for(listener->settings()));
      }
    }
    listeners_[id] = std::move(listener);
  }
  return {};
}

void ListenerTable::settle(const Plan& plan) {
  for (const PlannedListener& planned : plan) {
    if (!planned.is_new || !listeners_.contains(planned.id)) continue;
    ServedListener& listener = at(planned.id);
    adapt(listener.settings(), listener.sockets(), log_);
  }
}

ServedListener::Events ListenerTable::events_of(ListenerId id) {
  return {
      .worker =
          [this, id](unsigned index, WorkerEvent event) {
            events_.worker({id, index}, event);
          },
      .sessions_left = [this, id] { events_.sessions_left(id); },
      .sessions_gone = [this, id] { events_.sessions_gone(id); },
      .overdue = [this, id] { events_.overdue(id); },
  };
}

std::size_t ListenerTable::in_service(const HostLife& life) const {
  return static_cast<std::size_t>(
      std::count_if(listeners_.begin(), listeners_.end(),
                    [&](const auto& entry) { return counts(entry.first, life); }));
}

std::set<SharedGeneration> ListenerTable::generations() const {
  std::set<SharedGeneration> all;
  for (const auto& [id, listener] : listeners_) all.insert(listener->generation());
  return all;
}

// ---- Their ends ----

bool ListenerTable::is_handed_over(ListenerId id, const HostLife& life) const {
  return all_live_on(at(id).sockets(), sockets_in_use(life));
}

void ListenerTable::forget(ListenerId id) {
  const auto found = listeners_.find(id);
  if (found == listeners_.end()) return;
  forgotten_.push_back(std::move(found->second));
  listeners_.erase(found);
  bury_.arm(Clock::now());
}

void ListenerTable::on_death(pid_t pid, int status) {
  for (const auto& [id, listener] : listeners_) {
    if (listener->on_death(pid, status)) return;
  }
  std::vector<ListenerId> all;  // what is told of one may lead to its being forgotten
  for (const auto& [id, listener] : listeners_) all.push_back(id);
  for (const ListenerId id : all) at(id).look_for_sessions();
}

void ListenerTable::reopen_logs() {
  for (const auto& [id, listener] : listeners_) listener->reopen_logs();
}

// ---- Another binary ----

std::vector<HandedOver::Listener> ListenerTable::hand_over(const HostLife& life) const {
  std::vector<HandedOver::Listener> all;
  for (const auto& [id, listener] : listeners_) {
    HandedOver::Listener& one = all.emplace_back();
    one.name = listener->settings().name;
    one.generation = listener->generation()->number;
    one.suspended = life.phase(id) == ListenerPhase::suspended;
    one.groups = listener->orphans().groups();
    for (const BoundAddress& bound : listener->sockets()) {
      HandedOver::Bound& address = one.sockets.emplace_back();
      address = {.requested = bound.requested,
                 .actual = bound.actual,
                 .sockets = {},
                 .file = bound.file ? bound.file->descriptor() : -1,
                 .scheme = bound.scheme,
                 .joined = bound.joined};
      for (const Fd& socket : bound.sockets) address.sockets.push_back(socket.get());
    }
    for (unsigned i = 0; i < listener->settings().workers; ++i) {
      const auto worker = listener->worker(i).hand_over();
      one.workers.push_back({.state = life.state({id, i}),
                             .pid = worker.pid,
                             .channel = worker.channel,
                             .board = worker.board,
                             .starts = worker.starts});
    }
  }
  return all;
}

Result<ListenerId> ListenerTable::adopt(const HandedOver::Listener& former,
                                        const SharedGeneration& generation, HostLife& life) {
  const auto& listeners = generation->config.settings.listeners;
  const auto found = std::find_if(listeners.begin(), listeners.end(), [&](const auto& settings) {
    return settings.name == former.name;
  });
  if (found == listeners.end() || found->workers != former.workers.size()) {
    return Error{"listener '" + former.name + "' was handed over, and is not in its config"};
  }
  ListeningSockets sockets;
  for (const HandedOver::Bound& address : former.sockets) {
    BoundAddress& bound = sockets.emplace_back();
    bound = {address.requested, address.actual, {}, true, nullptr, address.scheme};
    bound.wanted = bound.joined = address.joined;
    if (address.file >= 0) {
      bound.file = std::make_shared<OwnSocketFile>(address.actual.path(), Fd(address.file));
    }
    for (const int socket : address.sockets) bound.sockets.emplace_back(socket);
  }
  const ListenerId id = next_++;
  auto listener = std::make_unique<ServedListener>(
      generation, static_cast<std::size_t>(found - listeners.begin()), std::move(sockets), loop_,
      log_, events_of(id));
  std::vector<WorkerState> states;
  for (unsigned i = 0; i < former.workers.size(); ++i) {
    const HandedOver::Worker& worker = former.workers[i];
    const auto adopted = listener->adopt(i, {.pid = worker.pid,
                                             .channel = worker.channel,
                                             .board = worker.board,
                                             .starts = worker.starts});
    if (!adopted) return adopted.error();
    states.push_back(worker.state);
  }
  life.adopt(id, former.suspended ? ListenerPhase::suspended : ListenerPhase::current, states);
  listeners_[id] = std::move(listener);
  for (const pid_t group : former.groups) at(id).adopt_sessions(group);
  return id;
}

}  // namespace berth
