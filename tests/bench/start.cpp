#include "start.hpp"

#include <charconv>
#include <memory>
#include <string>

#include "failure.hpp"
#include "host_config.hpp"
#include "load.hpp"
#include "server.hpp"
#include "temporary_folder.hpp"

namespace berth::bench {
namespace {

const std::vector<std::string> kModelsStarted{"fork", "signal-fork", "thread", "select"};
const std::string kBeforePort = host_names_port_after(Transport::tcp);

std::vector<std::uint16_t> find_ports(const std::string& output) {
  std::vector<std::uint16_t> ports;
  for (std::size_t at = 0; (at = output.find(kBeforePort, at)) != std::string::npos;) {
    at += kBeforePort.size();
    std::uint16_t port = 0;
    const auto parsed = std::from_chars(output.data() + at, output.data() + output.size(), port);
    if (parsed.ptr == output.data() + output.size()) break;  // it may be the first half of one
    ports.push_back(port);
  }
  return ports;
}

double start_once(const Options& options, const std::string& config) {
  const Workload one_round_trip{&kWorkKinds[0], 1};
  std::vector<std::unique_ptr<Load>> loads;
  const TimePoint begun = Clock::now();
  const Server host("host", {{options.berth, "run", config}, kBeforePort, 0}, options.server_cores);
  std::vector<std::uint16_t> ports;
  while (ports.size() < kModelsStarted.size()) {
    ports = find_ports(host.output());
    if (has_ended(host.pid())) throw Failure("the host ended. It wrote:\n" + host.output());
  }
  for (const std::uint16_t port : ports) {
    loads.push_back(make_load(one_round_trip, {Transport::tcp, port}));
  }
  const std::chrono::duration<double> taken = Clock::now() - begun;
  for (const auto& load : loads) load->finish();
  return taken.count();
}

}  // namespace

Estimate measure_start(const Options& options, const Progress& progress) {
  pin_to({options.load_core});
  const TemporaryFolder folder;
  const std::string config =
      folder.write("host.yaml", host_config(options, {.models = kModelsStarted}));
  std::vector<double> times;
  for (int round = 0; round < options.rounds; ++round) {
    progress("start " + std::to_string(round + 1) + " of " + std::to_string(options.rounds));
    times.push_back(start_once(options, config));
  }
  return estimate(std::move(times));
}

}  // namespace berth::bench
