// The concurrency models that can be measured, over each transport with its reference and its
// goals, in one table: to add a reference is one file under bare/ and one row here.
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
  double memory_in_bytes;     // at most, per idle connection
  double churn_cpu_time = 0;  // as cpu_time, for short connections
};

// How long the host may take from its start to a reply of each of four listeners.
inline constexpr double kStartGoal = 0.030;

struct Model {
  Transport transport;
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

inline constexpr Goals kForkGoals{0.97, 0.97, 0.97, 1.0, 1.03, 1.5, 0};
inline constexpr Goals kPreforkGoals{0.97, 0.97, 0.97, 3.0, 1.03, 1.5, 0};
inline constexpr Goals kThreadGoals{0.97, 0.97, 0.97, 1.0, 1.03, 1.0, 0};
inline constexpr Goals kSelectGoals{0.95, 0.97, 0.97, 0, 1.03, 0, 0};
inline constexpr Goals kEpollGoals{0.99, 0.99, 0.97, 0.95, 1.01, 0, 512};
inline constexpr Goals kUringGoals{0.97, 0.97, 0.97, 0, 1.03, 0, 512};
inline constexpr Goals kUringToEpollGoals{0, 0, 0, 0, 0.96, 0, 0};
// Over UDP a datagram is a session, so that a round trip has in it what elsewhere churn has.
inline constexpr Goals kUdpGoals{0.95, 0, 0, 0, 1.05, 0, 0};
inline constexpr Goals kTlsGoals{0.95, 0.95, 0.95, 0.95, 1.05, 0, 0, 1.05};

inline constexpr Model kModels[] = {
    {Transport::tcp, "fork", "bare_fork", kUnbounded, false, 500, kForkGoals},
    {Transport::tcp, "signal-fork", "bare_signal_fork", kUnbounded, true, 500, kForkGoals},
    // Its processes stay, and are given the next connection.
    {Transport::tcp, "prefork", "bare_fork", kUnbounded, false, 500, kPreforkGoals},
    {Transport::tcp, "thread", "bare_thread", kUnbounded, false, 500, kThreadGoals},
    {Transport::tcp, "thread-pool", "bare_thread", kUnbounded, false, 500, kThreadGoals},
    // Descriptors from 1024 on have no place in an fd_set, and a few are in use already.
    {Transport::tcp, "select", "bare_select", 1000, false, 500, kSelectGoals},
    {Transport::tcp, "epoll", "bare_epoll", kUnbounded, false, 10'000, kEpollGoals},
    {Transport::tcp, "io_uring", "bare_io_uring", kUnbounded, false, 10'000, kUringGoals,
     "bare_epoll", kUringToEpollGoals},

    {Transport::udp, "sync", "bare_udp_sync", kUnbounded, false, 0, kUdpGoals},
    {Transport::udp, "fork", "bare_udp_fork", kUnbounded, false, 0, kUdpGoals},
    {Transport::udp, "prefork", "bare_udp_fork", kUnbounded, false, 0, kUdpGoals},
    {Transport::udp, "thread", "bare_udp_thread", kUnbounded, false, 0, kUdpGoals},
    {Transport::udp, "thread-pool", "bare_udp_thread", kUnbounded, false, 0, kUdpGoals},
    {Transport::udp, "select", "bare_udp_epoll", 1000, false, 0, kUdpGoals},
    {Transport::udp, "epoll", "bare_udp_epoll", kUnbounded, false, 0, kUdpGoals,
     "bare_udp_batched"},
    {Transport::udp, "io_uring", "bare_udp_epoll", kUnbounded, false, 0, kUdpGoals,
     "bare_udp_batched"},

    {Transport::tls, "thread", "bare_tls_thread", kUnbounded, false, 500, kTlsGoals},
    {Transport::tls, "thread-pool", "bare_tls_thread", kUnbounded, false, 500, kTlsGoals},
    {Transport::tls, "select", "bare_tls_epoll", 1000, false, 500, kTlsGoals},
    {Transport::tls, "epoll", "bare_tls_epoll", kUnbounded, false, 500, kTlsGoals},
    {Transport::tls, "io_uring", "bare_tls_epoll", kUnbounded, false, 500, kTlsGoals},
};

// Throws std::invalid_argument if there is none of this name.
const Model* find_model(std::string_view name, Transport transport);

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
  return kind == Kind::churn ? goals.churn_cpu_time : goals.cpu_time;
}

}  // namespace berth::bench
