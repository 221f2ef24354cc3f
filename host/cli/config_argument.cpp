#include "cli/config_argument.hpp"

#include <cstdio>
#include <sstream>
#include <system_error>

#include "config/check_accounts.hpp"
#include "config/check_handlers.hpp"
#include "config/check_tls.hpp"
#include "config/config.hpp"
#include "config/config_text.hpp"

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

Result<CheckedConfig> check_config(const fs::path& file) {
  Diagnostics problems(file.string());
  Diagnostics warnings(file.string());
  CheckedConfig config;
  if (const auto text = read_config_text(file, problems)) {
    config.text = *text;
    config.settings = config_from_text(*text, file, problems);
  }
  check_accounts(config.settings, problems);
  config.files = read_tls_files(config.settings, problems, warnings);
  check_tls(config.settings, problems);
  // What the file itself says wrong may be what the plugins are then asked for; but every listener
  // that could be read is checked to the end, so that all is told at once.
  config.handlers = check_handlers(config.settings, problems, warnings);
  config.warnings = lines_of(warnings);
  if (!problems.empty()) return Error{problems.to_text()};
  return config;
}

std::optional<CheckedConfig> checked_config(const fs::path& file) {
  auto config = check_config(file);
  if (config) return std::move(config.value());
  (void)std::fprintf(stderr, "%s\n", config.error().message.c_str());
  return std::nullopt;
}

ConfigReader config_reader() {
  return {.check = check_config,
          .read = [](const std::string& text, const fs::path& file,
                     const ConfigFiles& files) -> Result<HostSettings> {
            Diagnostics problems(file.string());
            HostSettings settings = config_from_text(text, file, problems);
            check_accounts(settings, problems);
            fill_in_tls_files(settings, files, problems);
            if (!problems.empty()) return Error{problems.to_text()};
            return settings;
          }};
}

}  // namespace berth
