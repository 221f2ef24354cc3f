#include "contest.hpp"

#include "failure.hpp"
#include "host_config.hpp"
#include "peer.hpp"

namespace berth::bench {
namespace {

Command bare_command(const Options& options, const char* program) {
  return {{options.bare / program, "0", std::to_string(options.workers)}, "", 0};
}

Command host_command(const Options& options, const std::string& model, const Workload& workload,
                     const TemporaryFolder& folder) {
  const std::string config =
      folder.write("host-" + model + ".yaml",
                   host_config(options, {model}, workload.connections, options.workers));
  return {{options.berth, "run", config}, "listening on tcp://127.0.0.1:", 0};
}

}  // namespace

std::vector<Entrant> Contest::of_model(const Options& options, const Model& model,
                                       const Workload& workload, const TemporaryFolder& folder) {
  const Command bare = bare_command(options, model.reference);
  std::vector<Entrant> entrants{{"bare", bare}, {"copy", bare}};
  if (model.rival != nullptr) entrants.push_back({"rival", bare_command(options, model.rival)});
  if (!options.berth.empty()) {
    entrants.push_back({"host", host_command(options, model.name, workload, folder)});
  }
  return entrants;
}

std::vector<Entrant> Contest::of_peers(const Options& options, const Workload& workload,
                                       const TemporaryFolder& folder) {
  const Command bare = bare_command(options, kPeerReference);
  std::vector<Entrant> entrants{{"bare epoll", bare}, {"copy", bare}};
  entrants.push_back({"bare io_uring", bare_command(options, "bare_io_uring"), true});
  if (!options.berth.empty()) {
    for (const char* model : {"epoll", "io_uring"}) {
      entrants.push_back(
          {std::string("host ") + model, host_command(options, model, workload, folder), true});
    }
  }
  for (const Peer* peer : options.peers) {
    entrants.push_back({peer->name, command_of(*peer, options, folder), true});
  }
  return entrants;
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
