// The CONFIG argument of the subcommands.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "supervise/generation.hpp"

namespace berth {

// What was given, or the config that stands where one is looked for.
[[nodiscard]] std::filesystem::path config_or_default(const std::string& given);

// Reads and checks `file` to the end, plugins and their options included. The error tells every
// mistake, a line each.
[[nodiscard]] Result<CheckedConfig> check_config(const std::filesystem::path& file);

// The same; mistakes are told on standard error.
[[nodiscard]] std::optional<CheckedConfig> checked_config(const std::filesystem::path& file);

// How a supervisor reads its config.
[[nodiscard]] ConfigReader config_reader();

}  // namespace berth
