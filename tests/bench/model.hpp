// The concurrency models that can be measured, each with its reference and its goals, in one table:
// to add a reference is one file under bare/ and one row here.
#pragma once

#include <string_view>

#include "workload.hpp"

namespace berth::bench {

// Zero where there is none. Ratios are host to bare server.
struct Goals {
  double round_trips;  // at least, of messages per second
  double pipelined;    // the same, several messages deep
  double bulk;         // the same, of long messages
  double churn;        // the same, of short connections
  double cpu_time;     // at most, of the server's processor time per message on lasting connections
  double memory;       // at most, of memory per idle connection
  double memory_in_bytes;  // at most, per idle connection
};

// How long the host may take from its start to a reply of each of four listeners.
inline constexpr double kStartGoal = 0.030;

struct Model {
  const char* name;       // as the configuration has it
  const char* reference;  // the bare server's program
  int most_connections;   // that one worker can hold
  // The children are reaped by the kernel, which adds their processor time to no account.
  bool reaped_by_kernel;
  int idle_connections;  // held to measure memory: what is made for many at once is to spread
  Goals goals;
  // A bare server of another model, measured in the same rounds, and the goals against it.
  const char* rival = nullptr;
  Goals rival_goals = {};
};

inline constexpr int kUnbounded = 1'000'000;

inline constexpr Model kModels[] = {
    {"fork", "bare_fork", kUnbounded, false, 500, {0.97, 0.97, 0.97, 1.0, 1.03, 1.5, 0}},
    {"signal-fork",
     "bare_signal_fork",
     kUnbounded,
     true,
     500,
     {0.97, 0.97, 0.97, 1.0, 1.03, 1.5, 0}},
    // Its processes stay, and are given the next connection.
    {"prefork", "bare_fork", kUnbounded, false, 500, {0.97, 0.97, 0.97, 3.0, 1.03, 1.5, 0}},
    {"thread", "bare_thread", kUnbounded, false, 500, {0.97, 0.97, 0.97, 1.0, 1.03, 1.0, 0}},
    {"thread-pool", "bare_thread", kUnbounded, false, 500, {0.97, 0.97, 0.97, 1.0, 1.03, 1.0, 0}},
    // Descriptors from 1024 on have no place in an fd_set, and a few are in use already.
    {"select", "bare_select", 1000, false, 500, {0.95, 0.97, 0.97, 0, 1.03, 0, 0}},
    {"epoll", "bare_epoll", kUnbounded, false, 10'000, {0.99, 0.99, 0.97, 0.95, 1.01, 0, 512}},
    {"io_uring",
     "bare_io_uring",
     kUnbounded,
     false,
     10'000,
     {0.97, 0.97, 0.97, 0, 1.03, 0, 512},
     "bare_epoll",
     {0, 0, 0, 0, 0.96, 0, 0}},
};

// Throws std::invalid_argument if there is none of this name.
const Model* find_model(std::string_view name);

// Zero where there is none.
constexpr double rate_goal(const Goals& goals, Kind kind) {
  switch (kind) {
    case Kind::roundtrip:
      return goals.round_trips;
    case Kind::pipeline:
      return goals.pipelined;
    case Kind::bulk:
      return goals.bulk;
    case Kind::churn:
      return goals.churn;
    case Kind::idle:
    case Kind::start:
      return 0;
  }
  return 0;
}

constexpr double cpu_goal(const Goals& goals, Kind kind) {
  return kind == Kind::churn ? 0 : goals.cpu_time;
}

}  // namespace berth::bench
