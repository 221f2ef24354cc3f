// What the subcommands that take a CONFIG have in common.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "supervise/host_settings.hpp"

namespace berth {

// Exit statuses (DESIGN, "Command line"; those above 1 are of sysexits.h).
enum ExitStatus { kExitFine = 0, kExitFailed = 1, kExitUsage = 64, kExitConfig = 78 };

// The config to use where none is named: ./conf/berth.yaml, else /etc/berth/berth.yaml.
[[nodiscard]] std::filesystem::path config_or_default(const std::string& given);

struct CheckedConfig {
  HostSettings settings;
  std::vector<std::filesystem::path> handlers;  // their files, in the listeners' order
  std::vector<std::string> warnings;            // FILE:LINE:COLUMN: what might go wrong
};

// Loads and checks a config, users and plugins included. Tells every mistake on standard error and
// returns nothing if there is one.
[[nodiscard]] std::optional<CheckedConfig> checked_config(const std::filesystem::path& file);

}  // namespace berth
