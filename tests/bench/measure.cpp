#include "measure.hpp"

#include <memory>
#include <optional>
#include <utility>

#include "contest.hpp"
#include "crowd.hpp"
#include "descriptors.hpp"
#include "failure.hpp"
#include "load.hpp"
#include "process_tree.hpp"
#include "syscalls.hpp"

namespace berth::bench {
namespace {

using Loads = std::vector<std::unique_ptr<Load>>;

// One measurement under way.
struct Course {
  const Options& options;
  const Contest& contest;
  const Progress& progress;
  Comparison& comparison;
  const TlsClients* tls;

  [[nodiscard]] Destination destination(const Server& server) const {
    return {comparison.workload.transport, server.port(), tls};
  }
  [[nodiscard]] std::unique_ptr<Load> load(const Server& server, const Workload& workload) const {
    return make_load(workload, destination(server));
  }
};

// What a server that is optional fails at ends its own part alone.
template <typename Step>
void for_each_server(const Course& course, std::size_t first, const Step& step) {
  const std::size_t count = course.comparison.servers.size();
  for (std::size_t turn = 0; turn < count; ++turn) {
    const std::size_t now = (first + turn) % count;
    Measured& measured = course.comparison.servers[now];
    if (!measured.failure.empty()) continue;
    try {
      step(now, *course.contest.servers()[now], measured);
    } catch (const Failure& failure) {
      pin_to({course.options.load_core});
      if (!course.contest.entrants()[now].optional) throw;
      measured.failure = failure.what();
    }
  }
}

Sample measure_round(const Options& options, const Workload& workload, const Server& server,
                     Load& load) {
  constexpr auto kWarmUp = std::chrono::milliseconds(15);
  const Duration before = cpu_time(server.pid());
  if (workload.shares_core()) pin_to({options.server_cores.front()});
  const Tally tally = load.run({.warm_up = kWarmUp, .timed = options.round_length});
  pin_to({options.load_core});
  if (tally.timed_messages == 0) {
    throw Failure("no reply of " + server.name() + " in a whole round: the machine is too busy");
  }
  const std::chrono::duration<double> used = settled_cpu_time(server.pid()) - before;
  return {tally.rate(), used.count() / static_cast<double>(tally.messages)};
}

void measure_speed(const Course& course, const Loads& loads) {
  const int rounds = course.options.rounds;
  for (int round = 0; round < rounds; ++round) {
    course.progress("round " + std::to_string(round + 1) + " of " + std::to_string(rounds));
    for_each_server(course, static_cast<std::size_t>(round),
                    [&](std::size_t now, const Server& server, Measured& measured) {
                      measured.rounds.push_back(measure_round(
                          course.options, course.comparison.workload, server, *loads[now]));
                    });
  }
}

void count_syscalls(const Course& course, const Loads& loads) {
  // Enough that what happens once a run is lost in the second decimal; a short connection takes
  // milliseconds under strace.
  const bool short_connections = course.comparison.workload.kind->kind == Kind::churn;
  const std::uint64_t messages = short_connections ? 1'000 : 10'000;
  for_each_server(course, 0, [&](std::size_t now, const Server& server, Measured& measured) {
    course.progress("system calls of " + server.name());
    SyscallCounter counter(server.pid(), {course.options.load_core});
    const Tally tally = loads[now]->run({.timed = std::chrono::minutes(1), .limit = messages});
    measured.syscalls = describe(counter.finish(), tally.messages);
  });
}

// One connection comes and goes first, so that what a server makes once counts for none.
void measure_memory(const Course& course) {
  const Workload& workload = course.comparison.workload;
  for_each_server(course, 0, [&](std::size_t, const Server& server, Measured& measured) {
    course.progress("memory of " + server.name());
    course.load(server, {workload.kind, 1, workload.transport})->finish();
    settled_cpu_time(server.pid());
    const auto before = static_cast<double>(memory(server.pid()));
    Crowd crowd(workload, course.destination(server), most_descriptors() - kOtherDescriptors);
    settled_cpu_time(server.pid());
    const auto held = static_cast<double>(memory(server.pid()));
    course.progress("a round trip on each connection of " + server.name());
    crowd.round_trip_on_each();
    crowd.finish();
    measured.idle_memory = (held - before) / workload.connections;
  });
}

void measure_all(const Course& course) {
  if (course.comparison.workload.kind->kind == Kind::idle) return measure_memory(course);
  Loads loads(course.comparison.servers.size());
  for_each_server(course, 0, [&](std::size_t now, const Server& server, Measured&) {
    course.progress("connecting to " + server.name());
    loads[now] = course.load(server, course.comparison.workload);
  });
  measure_speed(course, loads);
  if (course.options.count_syscalls) count_syscalls(course, loads);
  for_each_server(course, 0,
                  [&](std::size_t now, const Server&, Measured&) { loads[now]->finish(); });
}

void drop_failed(Comparison& comparison) {
  for (const Measured& server : comparison.servers) {
    if (server.failure.empty()) continue;
    comparison.left_out.push_back(server.server + ": " + server.failure);
  }
  std::erase_if(comparison.servers, [](const Measured& server) { return !server.failure.empty(); });
}

}  // namespace

const Measured* Comparison::find(std::string_view server) const {
  for (const Measured& measured : servers) {
    if (measured.server == server) return &measured;
  }
  return nullptr;
}

bool Comparison::cpu_time_known() const {
  return subject.model == nullptr || !subject.model->reaped_by_kernel ||
         workload.kind->kind != Kind::churn;
}

Estimate estimate_of(const Measured& server, double Sample::*value) {
  std::vector<double> values;
  for (const Sample& sample : server.rounds) values.push_back(sample.*value);
  return estimate(std::move(values));
}

Estimate ratio_of(const Measured& server, const Measured& reference, double Sample::*value) {
  std::vector<double> ratios;
  for (std::size_t round = 0; round < server.rounds.size(); ++round) {
    ratios.push_back(server.rounds[round].*value / reference.rounds[round].*value);
  }
  return estimate(std::move(ratios));
}

Comparison measure(const Options& options, const Subject& subject, const Workload& workload,
                   const Progress& progress) {
  pin_to({options.load_core});
  progress("starting the servers");
  const TemporaryFolder folder;
  Certificate certificate;
  std::optional<TlsClients> tls;
  if (workload.transport == Transport::tls) {
    certificate = make_certificate(folder);
    tls.emplace(certificate);
  }
  const Contest contest(Contest::entrants_of(subject, {options, workload, folder, certificate}),
                        options.server_cores);
  Comparison comparison{subject, workload, options.workers, {}, contest.left_out()};
  for (const Entrant& entrant : contest.entrants()) {
    comparison.servers.emplace_back().server = entrant.name;
  }
  try {
    measure_all({options, contest, progress, comparison, tls ? &*tls : nullptr});
  } catch (const Failure& failure) {
    throw Failure(failure.what() + ("\n" + contest.output()));
  }
  drop_failed(comparison);
  return comparison;
}

}  // namespace berth::bench
