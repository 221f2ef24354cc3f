#include "contest.hpp"

#include "failure.hpp"
#include "host_config.hpp"

namespace berth::bench {
namespace {

Command bare_command(const Setting& setting, const char* program) {
  const Options& options = setting.options;
  Command command{{options.bare / program, "0", std::to_string(options.workers)}, "", 0};
  if (setting.workload.transport == Transport::tls) {
    command.arguments.push_back(setting.certificate.certificate);
    command.arguments.push_back(setting.certificate.key);
  }
  return command;
}

Command host_command(const Setting& setting, const std::string& model, std::uint16_t upstream) {
  const Transport transport = setting.workload.transport;
  const std::string config = setting.folder.write(
      "host-" + model + ".yaml",
      host_config(setting.options, {.models = {model},
                                    .transport = transport,
                                    .connections = setting.workload.connections,
                                    .workers = setting.options.workers,
                                    .certificate = setting.certificate,
                                    .upstream = upstream}));
  return {{setting.options.berth, "run", config}, host_names_port_after(transport), 0};
}

std::vector<Entrant> of_model(const Model& model, const Setting& setting) {
  std::vector<Entrant> entrants;
  entrants.push_back({"bare", bare_command(setting, model.reference)});
  entrants.push_back({"copy", bare_command(setting, model.reference)});
  if (model.rival != nullptr) entrants.push_back({"rival", bare_command(setting, model.rival)});
  if (!setting.options.berth.empty()) {
    entrants.push_back({"host", host_command(setting, model.name, 0)});
  }
  return entrants;
}

constexpr const char* kHostLoops[] = {"epoll", "io_uring"};

std::vector<Entrant> of_peers(const Setting& setting) {
  const Command bare = bare_command(setting, kPeerField.reference);
  std::vector<Entrant> entrants;
  entrants.push_back({"bare epoll", bare});
  entrants.push_back({"copy", bare});
  entrants.push_back({"bare io_uring", bare_command(setting, "bare_io_uring"), true});
  if (!setting.options.berth.empty()) {
    for (const char* model : kHostLoops) {
      entrants.push_back({std::string("host ") + model, host_command(setting, model, 0), true});
    }
  }
  for (const Peer* peer : setting.options.peers) {
    entrants.push_back(
        {peer->name, command_of(*peer, peer->name, setting.options, setting.folder, 0), true});
  }
  return entrants;
}

// Each proxy has a server of its own behind it, so that the ports which one has used up for a
// while, in TIME_WAIT, are not missing to the others. It leaves the proxy its processor, as the
// load does, unless its own would have to wake up for each message.
std::unique_ptr<Server> upstream_of(const std::string& proxy, const Setting& setting) {
  const Options& options = setting.options;
  const std::vector<int> cores =
      setting.workload.shares_core() ? options.server_cores : std::vector<int>{options.load_core};
  return std::make_unique<Server>("the server behind " + proxy,
                                  bare_command(setting, kPeerField.reference), cores);
}

Entrant proxy(const Peer& program, const std::string& name, bool optional, const Setting& setting) {
  std::unique_ptr<Server> upstream = upstream_of(name, setting);
  Command command = command_of(program, name, setting.options, setting.folder, upstream->port());
  return {name, std::move(command), optional, std::move(upstream)};
}

Entrant host_as_proxy(const std::string& model, const Setting& setting) {
  const std::string name = "host " + model;
  std::unique_ptr<Server> upstream = upstream_of(name, setting);
  Command command = host_command(setting, model, upstream->port());
  return {name, std::move(command), true, std::move(upstream)};
}

std::vector<Entrant> of_proxies(const Setting& setting) {
  const std::vector<const Peer*>& programs = setting.options.peers;
  std::vector<Entrant> entrants;
  entrants.push_back(proxy(*programs.front(), programs.front()->name, false, setting));
  entrants.push_back(proxy(*programs.front(), "copy", false, setting));
  if (!setting.options.berth.empty()) {
    for (const char* model : kHostLoops) entrants.push_back(host_as_proxy(model, setting));
  }
  for (std::size_t i = 1; i < programs.size(); ++i) {
    entrants.push_back(proxy(*programs[i], programs[i]->name, true, setting));
  }
  return entrants;
}

}  // namespace

std::vector<Entrant> Contest::entrants_of(const Subject& subject, const Setting& setting) {
  if (subject.model != nullptr) return of_model(*subject.model, setting);
  return subject.field->of_proxies ? of_proxies(setting) : of_peers(setting);
}

Contest::Contest(std::vector<Entrant> entrants, const std::vector<int>& cores) {
  for (Entrant& entrant : entrants) {
    try {
      servers_.push_back(std::make_unique<Server>(entrant.name, entrant.command, cores));
      entrants_.push_back(std::move(entrant));
    } catch (const Failure& failure) {
      if (!entrant.optional) throw;
      left_out_.push_back(failure.what());
    }
  }
}

std::string Contest::output() const {
  std::string text;
  for (const auto& server : servers_) {
    text += server->name() + " wrote:\n" + server->output();
  }
  return text;
}

}  // namespace berth::bench
