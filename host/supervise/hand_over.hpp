// What a supervisor hands to the binary that takes its place by exec: which descriptors are what,
// and which configs and processes they belong to. Passed as JSON in a memfd. The new binary trusts
// it as far as it trusts the old one, which is to say that it checks all of it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "net/address.hpp"
#include "supervise/worker_board.hpp"
#include "supervise/worker_life.hpp"

namespace berth {

struct HandedOver {
  struct Config {
    unsigned generation = 0;
    std::string text;
    std::vector<std::string> handlers;  // in the listeners' order
    bool operator==(const Config&) const = default;
  };
  struct Bound {
    SocketAddress requested;
    SocketAddress actual;
    std::vector<int> sockets;
    int file = -1;  // holds the file of a Unix socket that goes with the host
    Scheme scheme = Scheme::tcp;
    Multicast joined{};
    bool operator==(const Bound&) const = default;
  };
  struct Worker {
    WorkerState state = WorkerState::over;
    pid_t pid = 0;  // 0: none at the moment
    int channel = -1;
    int board = -1;
    unsigned starts = 0;
    bool operator==(const Worker&) const = default;
  };
  struct Listener {
    std::string name;
    unsigned generation = 0;
    bool suspended = false;
    std::vector<Bound> sockets;
    std::vector<Worker> workers;
    std::vector<pid_t> groups;  // of sessions that have outlived their worker
    bool operator==(const Listener&) const = default;
  };

  unsigned generation = 0;  // the newest
  std::vector<Config> configs;
  std::vector<Listener> listeners;
  int control = -1;
  int control_file = -1;
  std::string control_path;
  std::uint64_t descriptor_limit = 0;  // the soft one of before the exec, which raises it; 0: none
  std::size_t board_size = sizeof(WorkerBoard);  // of the workers'
  std::vector<int> clients;  // of the control socket, who wait for the end of the upgrade

  bool operator==(const HandedOver&) const = default;
};

[[nodiscard]] std::string to_text(const HandedOver& state);
// The error says what cannot be understood. What comes back is consistent in itself: each listener
// has its config, no descriptor is named twice, none is a standard one.
[[nodiscard]] Result<HandedOver> parse_handed_over(std::string_view text);

// Every descriptor that it names.
[[nodiscard]] std::vector<int> descriptors_of(const HandedOver& state);

// A memfd with the text, and back.
[[nodiscard]] Result<Fd> write_handed_over(const HandedOver& state);
[[nodiscard]] Result<HandedOver> read_handed_over(int memory);

// What a binary prints that was asked whether it can take over, and can.
inline constexpr std::string_view kTakesOver = "berth takes over\n";

}  // namespace berth
