#include <cstdio>

#include "cli/commands.hpp"
#include "cli/config_argument.hpp"

namespace berth {

int check_command(const std::string& given) {
  const auto file = config_or_default(given);
  const auto config = checked_config(file);
  if (!config) return kExitConfig;
  for (const std::string& warning : config->warnings) {
    std::printf("%s (a warning)\n", warning.c_str());
  }
  std::printf("%s: fine, %zu listeners\n", file.c_str(), config->settings.listeners.size());
  return kExitFine;
}

}  // namespace berth
