// The part of the supervisor that answers on the control socket.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/format.hpp"
#include "supervise/control_path.hpp"
#include "supervise/supervisor.hpp"

namespace berth {

namespace {

using Json = nlohmann::json;

const char* name_of(ListenerPhase phase) {
  switch (phase) {
    case ListenerPhase::candidate:
      return "starting";
    case ListenerPhase::current:
      return "serving";
    case ListenerPhase::suspended:
      return "suspended";
    case ListenerPhase::leaving:
      return "draining";
  }
  return "";
}

Json worker_status(const WorkerProcess& worker, WorkerState state) {
  const WorkerCounters counters = worker.counters();
  return {{"pid", worker.pid()},
          {"state", berth::name_of(state)},
          {"accepted", counters.accepted},
          {"open", counters.open},
          {"denied_by_address", counters.denied_by_address},
          {"denied_per_source", counters.denied_per_source},
          {"restarts", worker.starts() > 0 ? worker.starts() - 1 : 0}};
}

Json listener_status(ListenerId id, const ServedListener& listener, const HostLife& life) {
  const ListenerSettings& settings = listener.settings();
  Json addresses = Json::array();
  for (const BoundAddress& bound : listener.sockets()) {
    addresses.push_back(bound.url());
  }
  Json workers = Json::array();
  for (unsigned i = 0; i < settings.workers; ++i) {
    workers.push_back(worker_status(listener.worker(i), life.state({id, i})));
  }
  const bool failed = life.all(id, WorkerState::failed);
  return {{"name", settings.name},
          {"state", failed ? "failed" : name_of(life.phase(id))},
          {"generation", listener.generation()->number},
          {"model", settings.model},
          {"handler", settings.handler},
          {"max_connections", settings.max_connections},
          {"addresses", addresses},
          {"workers", workers}};
}

}  // namespace

// ---- The socket ----

Result<UnixListener> Supervisor::bind_control(const std::filesystem::path& given) const {
  if (!given.empty()) return ControlServer::bind(given);
  const auto path = default_control_path(setup_.file);
  auto made = make_control_folder(path);
  if (!made) return made.error();
  return ControlServer::bind(path);
}

Result<void> Supervisor::open_control() {
  const std::filesystem::path& given = generation_->config.settings.control;
  auto bound = bind_control(given);
  if (bound) {
    control_.move_to(std::move(*bound));
  } else if (!given.empty()) {
    return bound.error();
  } else {
    // Nobody has asked for it by name, and what is served is served without it.
    log_.warn("no control socket: {}", bound.error().message);
  }
  return {};
}

// For the change under way: where the config names another, and where the old one's path is gone.
Result<void> Supervisor::prepare_control() {
  const std::filesystem::path& before = generation_->config.settings.control;
  const std::filesystem::path& given = next_->config.settings.control;
  if (given == before && control_.is_reachable()) return {};
  auto bound = bind_control(given);
  if (bound) {
    next_control_ = std::move(*bound);
  } else if (given != before && !given.empty()) {
    return bound.error();
  } else {
    log_.warn("no control socket: {}", bound.error().message);
  }
  return {};
}

void Supervisor::answer_all(std::vector<ControlClient>& clients, const std::string& line) {
  for (const ControlClient client : std::exchange(clients, {})) control_.answer(client, line);
}

void Supervisor::refuse_what_waits() {
  for (auto* const clients : {&asked_to_reload_, &asked_to_upgrade_}) {
    answer_all(*clients, answer_error("the host is stopping"));
  }
}

// ---- Requests ----

void Supervisor::on_request(const ControlRequest& request, ControlClient client) {
  const bool changes = request.command != ControlCommand::status;
  if (changes && life_.stopping() && request.command != ControlCommand::stop) {
    return control_.answer(client, answer_error("the host is stopping"));
  }
  switch (request.command) {
    case ControlCommand::status:
      return control_.answer(client, status());
    case ControlCommand::reload:
      asked_to_reload_.push_back(client);
      return want(Wish::reload, "berth reload");
    case ControlCommand::upgrade:
      asked_to_upgrade_.push_back(client);
      return want(Wish::upgrade, "berth upgrade");
    case ControlCommand::drain:
      return drain(request.listener, client);
    case ControlCommand::resume:
      return resume(request.listener, client);
    case ControlCommand::stop:
      asked_to_stop_.push_back(client);
      return request.at_once ? stop_now("berth stop --now") : stop("berth stop");
  }
}

std::optional<ListenerId> Supervisor::find_for(const std::string& name, ControlClient client) {
  if (life_.changing()) {
    control_.answer(client,
                    answer_error("a reload or an upgrade is under way; try again after it"));
    return std::nullopt;
  }
  const auto id = listeners_.find(name, life_);
  if (id) return id;
  std::vector<std::string> names;
  for (const auto& settings : generation_->config.settings.listeners) {
    names.push_back(settings.name);
  }
  control_.answer(
      client, answer_error("there is no listener " + in_quotes(name) + did_you_mean(name, names) +
                           " (there are " + one_of(names) + ")"));
  return std::nullopt;
}

void Supervisor::drain(const std::string& name, ControlClient client) {
  const auto id = find_for(name, client);
  if (!id) return;
  asked_to_drain_[*id].push_back(client);
  if (life_.phase(*id) == ListenerPhase::current) {
    log_.info("berth drain: listener '{}' is taken out of service", name);
    return carry_out(life_.suspend(*id));
  }
  if (life_.all(*id, WorkerState::over)) answer_drained(*id, "is out of service");
}

void Supervisor::answer_drained(ListenerId id, const char* what) {
  const auto found = asked_to_drain_.find(id);
  const std::string line = formatted("listener '{}' {}", listeners_.at(id).settings().name, what);
  if (life_.has(id)) log_.info("{}", line);
  if (found == asked_to_drain_.end()) return;
  answer_all(found->second, answer_ok(line));
  asked_to_drain_.erase(id);
}

void Supervisor::resume(const std::string& name, ControlClient client) {
  const auto id = find_for(name, client);
  if (!id) return;
  if (life_.phase(*id) != ListenerPhase::suspended) {
    return control_.answer(client, answer_error("listener '" + name + "' is in service"));
  }
  log_.info("berth resume: listener '{}' is put back into service", name);
  asked_.push_back(client);
  failure_.clear();
  summary_ = formatted("listener '{}' is in service", name);
  next_ = listeners_.at(*id).generation();
  plan_ = listeners_.plan_instead_of(*id, life_);
  carry_out(life_.change(plan_));
}

std::string Supervisor::status() const {
  Json listeners = Json::array();
  for (const ListenerId id : life_.listeners()) {
    listeners.push_back(listener_status(id, listeners_.at(id), life_));
  }
  const Json status = {{"version", BERTH_VERSION},
                       {"pid", ::getpid()},
                       {"config", setup_.file.string()},
                       {"generation", generation_->number},
                       {"state", life_.stopping()   ? "stopping"
                                 : life_.changing() ? "changing"
                                                    : "serving"},
                       {"listeners", listeners}};
  const Json answer = {{"ok", true}, {"status", status}};
  return answer.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace berth
