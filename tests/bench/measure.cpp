#include "measure.hpp"

#include <functional>
#include <memory>

#include "contest.hpp"
#include "failure.hpp"
#include "load.hpp"
#include "process_tree.hpp"
#include "syscalls.hpp"

namespace berth::bench {
namespace {

using Servers = std::vector<std::unique_ptr<Server>>;
using Loads = std::vector<std::unique_ptr<Load>>;

struct Sample {
  double rate = 0;
  double cpu_time = 0;  // seconds a message
};
using Samples = std::vector<Sample>;  // one a round

Sample measure_round(const Options& options, const Workload& workload, const Server& server,
                     Load& load) {
  constexpr auto kWarmUp = std::chrono::milliseconds(15);
  const Duration before = cpu_time(server.pid());
  if (workload.shares_core()) pin_to_core(options.server_core);
  const Tally tally = load.run({.warm_up = kWarmUp, .timed = options.round_length});
  pin_to_core(options.load_core);
  if (tally.timed_messages == 0) {
    throw Failure("no reply of " + server.name() + " in a whole round: the machine is too busy");
  }
  const std::chrono::duration<double> used = settled_cpu_time(server.pid()) - before;
  return {tally.rate(), used.count() / static_cast<double>(tally.messages)};
}

Estimate estimate_of(const Samples& samples, double Sample::*value) {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(sample.*value);
  return estimate(std::move(values));
}

Estimate ratio_of(const Samples& samples, const Samples& reference, double Sample::*value) {
  std::vector<double> ratios;
  for (std::size_t round = 0; round < samples.size(); ++round) {
    ratios.push_back(samples[round].*value / reference[round].*value);
  }
  return estimate(std::move(ratios));
}

void measure_speed(const Options& options, Comparison& comparison, const Servers& servers,
                   const Loads& loads, const Progress& progress) {
  std::vector<Samples> samples(servers.size(), Samples(static_cast<std::size_t>(options.rounds)));
  for (std::size_t round = 0; round < samples[0].size(); ++round) {
    progress("round " + std::to_string(round + 1) + " of " + std::to_string(options.rounds));
    for (std::size_t turn = 0; turn < servers.size(); ++turn) {
      const std::size_t now = (round + turn) % servers.size();
      samples[now][round] = measure_round(options, comparison.workload, *servers[now], *loads[now]);
    }
  }
  const bool short_connections = comparison.workload.kind->kind == Kind::churn;
  const bool cpu_time_known = !(short_connections && comparison.model->reaped_by_kernel);
  for (std::size_t i = 0; i < servers.size(); ++i) {
    Measured& measured = comparison.servers[i];
    measured.rate = estimate_of(samples[i], &Sample::rate);
    measured.rate_ratio = ratio_of(samples[i], samples[0], &Sample::rate);
    if (!cpu_time_known) continue;
    measured.cpu_time = estimate_of(samples[i], &Sample::cpu_time);
    measured.cpu_ratio = ratio_of(samples[i], samples[0], &Sample::cpu_time);
  }
}

void count_syscalls(const Options& options, Comparison& comparison, const Servers& servers,
                    const Loads& loads, const Progress& progress) {
  // Enough that what happens once a run is lost in the second decimal; a short connection takes
  // milliseconds under strace.
  const bool short_connections = comparison.workload.kind->kind == Kind::churn;
  const std::uint64_t messages = short_connections ? 1'000 : 10'000;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    progress("system calls of " + servers[i]->name());
    SyscallCounter counter(servers[i]->pid(), options.load_core);
    const Tally tally = loads[i]->run({.timed = std::chrono::minutes(1), .limit = messages});
    comparison.servers[i].syscalls = describe(counter.finish(), tally.messages);
  }
}

// One connection comes and goes first, so that what a server makes once counts for none.
void measure_memory(Comparison& comparison, const Servers& servers, const Progress& progress) {
  for (std::size_t i = 0; i < servers.size(); ++i) {
    progress("memory of " + servers[i]->name());
    const Server& server = *servers[i];
    make_load({comparison.workload.kind, 1}, server.port())->finish();
    settled_cpu_time(server.pid());
    const auto before = static_cast<double>(memory(server.pid()));
    const std::unique_ptr<Load> load = make_load(comparison.workload, server.port());
    settled_cpu_time(server.pid());
    const auto held = static_cast<double>(memory(server.pid()));
    const auto connections = static_cast<std::uint64_t>(comparison.workload.connections);
    load->run({.limit = connections});  // they must all be there still
    load->finish();
    comparison.servers[i].idle_memory = (held - before) / static_cast<double>(connections);
  }
}

void measure_all(const Options& options, Comparison& comparison, const Servers& servers,
                 const Progress& progress) {
  if (comparison.workload.kind->kind == Kind::idle) {
    measure_memory(comparison, servers, progress);
    return;
  }
  Loads loads;
  for (const auto& server : servers) {
    progress("connecting to " + server->name());
    loads.push_back(make_load(comparison.workload, server->port()));
  }
  measure_speed(options, comparison, servers, loads, progress);
  if (options.count_syscalls) count_syscalls(options, comparison, servers, loads, progress);
  for (const auto& load : loads) load->finish();
}

}  // namespace

Comparison measure(const Options& options, const Model& model, const Workload& workload,
                   const Progress& progress) {
  pin_to_core(options.load_core);
  progress("starting the servers");
  const Contest contest(options, model, workload);
  Comparison comparison{&model, workload, {}};
  for (const auto& server : contest.servers()) {
    comparison.servers.emplace_back().server = server->name();
  }
  try {
    measure_all(options, comparison, contest.servers(), progress);
  } catch (const Failure& failure) {
    throw Failure(failure.what() + ("\n" + contest.output()));
  }
  return comparison;
}

}  // namespace berth::bench
