#include "cli/config_argument.hpp"

#include <cstdio>
#include <sstream>
#include <system_error>

#include "config/check_accounts.hpp"
#include "config/check_handlers.hpp"
#include "config/config.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> lines_of(const Diagnostics& told) {
  std::vector<std::string> lines;
  std::istringstream text(told.to_text());
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

}  // namespace

fs::path config_or_default(const std::string& given) {
  if (!given.empty()) return given;
  const fs::path near = "conf/berth.yaml";
  const fs::path installed = "/etc/berth/berth.yaml";
  std::error_code ignored;
  return !fs::exists(near, ignored) && fs::exists(installed, ignored) ? installed : near;
}

std::optional<CheckedConfig> checked_config(const fs::path& file) {
  Diagnostics problems(file.string());
  Diagnostics warnings(file.string());
  CheckedConfig config;
  config.settings = load_config(file, problems);
  check_accounts(config.settings, problems);
  // What the file itself says wrong may be what the plugins are then asked for; but every listener
  // that could be read is checked to the end, so that all is told at once.
  config.handlers = check_handlers(config.settings, problems, warnings);
  config.warnings = lines_of(warnings);
  if (problems.empty()) return config;
  (void)std::fprintf(stderr, "%s\n", problems.to_text().c_str());
  return std::nullopt;
}

}  // namespace berth
