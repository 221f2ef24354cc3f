#include "workload.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace berth::bench {
namespace {

// A datagram is a session of its own, and may come out of order.
bool makes_sense(Kind kind, Transport transport) {
  if (transport == Transport::tcp) return true;
  return transport == Transport::udp ? kind == Kind::roundtrip : kind != Kind::start;
}

Workload parse_workload(std::string_view text, Transport transport) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  for (const WorkKind& kind : kWorkKinds) {
    if (name != kind.name) continue;
    if (!makes_sense(kind.kind, transport)) {
      throw std::invalid_argument("'" + std::string(name) + "' is not measured over " +
                                  facts_of(transport).name);
    }
    Workload workload{&kind, kind.connections, transport};
    if (colon == std::string_view::npos) return workload;
    const std::string_view number = text.substr(colon + 1);
    const char* const end = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data(), end, workload.connections);
    constexpr int kMost = 1'000'000;
    if (error == std::errc{} && stop == end && workload.connections >= 1 &&
        workload.connections <= kMost) {
      return workload;
    }
    throw std::invalid_argument("'" + std::string(text) + "': connections are a number from 1 to " +
                                std::to_string(kMost));
  }
  std::string known;
  for (const WorkKind& kind : kWorkKinds)
    known += std::string(known.empty() ? "" : ", ") + kind.name;
  throw std::invalid_argument("no work is called '" + std::string(name) + "' (there are: " + known +
                              ")");
}

}  // namespace

std::string Workload::title() const {
  const std::string noun = transport == Transport::udp ? " socket" : " connection";
  const std::string done = facts_of(transport).title + std::string(kind->title) + ", ";
  if (kind->kind == Kind::churn) return done + std::to_string(connections) + " at once";
  return done + std::to_string(connections) + noun + (connections == 1 ? "" : "s");
}

int largest_share(int connections, int processes) {
  constexpr int kFew = 64;
  return std::min(connections, connections / processes * 5 / 4 + kFew);
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t comma = std::min(text.find(',', from), text.size());
    parts.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return parts;
}

std::vector<Workload> parse_workloads(std::string_view text, Transport transport) {
  std::vector<Workload> workloads;
  for (const std::string_view part : split(text)) {
    workloads.push_back(parse_workload(part, transport));
  }
  return workloads;
}

}  // namespace berth::bench
