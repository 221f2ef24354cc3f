// What a server is put to, as plain values: the kinds of work in one table, and their text form
// `kind:connections` of the command line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "transport.hpp"

namespace berth::bench {

enum class Kind { roundtrip, pipeline, bulk, churn, idle, start };

struct WorkKind {
  Kind kind;
  const char* name;
  std::size_t message;  // bytes
  std::size_t depth;    // messages outstanding on each connection
  int connections;      // unless the command line says; 0: as many as the model is to hold
  const char* title;
};

inline constexpr WorkKind kWorkKinds[] = {
    {Kind::roundtrip, "roundtrip", 64, 1, 64, "round trips"},
    {Kind::pipeline, "pipeline", 64, 16, 64, "16 deep"},
    // More than one outstanding, so that neither side ever waits for the other to wake up.
    {Kind::bulk, "bulk", 64 * 1024, 4, 1, "64 KiB messages"},
    {Kind::churn, "churn", 64, 1, 32, "connect, round trip, close"},
    {Kind::idle, "idle", 64, 1, 0, "idle"},
    {Kind::start, "start", 64, 1, 1, "start to the first reply of each of four listeners"},
};
inline constexpr std::size_t kMostOutstandingBytes = 4 * 64 * 1024;

struct Workload {
  const WorkKind* kind;
  int connections;  // over UDP: sockets
  Transport transport = Transport::tcp;

  // With a connection alone on two cores a round trip is mostly the waking of a halted core, and
  // says little of the server: there the load shares the server's core.
  [[nodiscard]] bool shares_core() const {
    return kind->kind == Kind::roundtrip && connections == 1;
  }
  [[nodiscard]] std::string title() const;
};

// The most of so many connections that one of several processes gets that share a port: the kernel
// spreads them evenly on the average.
[[nodiscard]] int largest_share(int connections, int processes);

// The parts of a list like "a,b,c".
std::vector<std::string_view> split(std::string_view text);

// `text` is a list like "roundtrip:64,churn:32"; throws std::invalid_argument with what is wrong.
std::vector<Workload> parse_workloads(std::string_view text, Transport transport);

}  // namespace berth::bench
