// The subcommands of `berth`, a file each in this folder. command_line.cpp knows the words they are
// called with and calls one of them; each returns the exit status, having told on standard error
// what went wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "supervise/control_protocol.hpp"

namespace berth {

// Exit statuses (DESIGN, "Command line"; those above 1 are of sysexits.h).
enum ExitStatus { kExitFine = 0, kExitFailed = 1, kExitUsage = 64, kExitConfig = 78 };

// A mistake in how a subcommand was called that only the subcommand can see. `argument` is its name
// in the help.
struct UsageError : std::runtime_error {
  UsageError(const std::string& argument, const std::string& what)
      : std::runtime_error(argument + ": " + what) {}
};

// A `config` that is empty stands for the default (cli/config_argument.hpp).
struct RunArguments {
  std::string config;
  int handed_over = -1;  // of an upgrade: the descriptor with the state (supervise/hand_over.hpp)
  bool only_check = false;
};
[[nodiscard]] int run_command(const RunArguments& arguments);

[[nodiscard]] int check_command(const std::string& config);

// `where`: a config, or a folder of plugins.
[[nodiscard]] int handlers_command(const std::string& where);

[[nodiscard]] int models_command();

struct SendArguments {
  std::string address = "localhost";
  std::vector<std::string> words;  // none: one that greets
  std::optional<std::uint16_t> port;
  std::size_t parallel = 1;
  std::string timeout = "30s";
  std::string ca, certificate, key;  // files, for tls:// addresses
  bool insecure = false;
};
// Throws UsageError.
[[nodiscard]] int send_command(const SendArguments& arguments);

// status, reload, upgrade, drain, resume, stop: what a host that runs is asked.
struct ControlArguments {
  ControlRequest request;
  std::string config;
  std::string socket;  // the host's, instead of finding it by its config
  bool json = false;
};
[[nodiscard]] int control_command(const ControlArguments& arguments);

}  // namespace berth
