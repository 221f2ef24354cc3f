#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "cli/commands.hpp"
#include "cli/config_argument.hpp"

namespace berth {

namespace {

constexpr const char* kFooter =
    R"(Every mistake is told as FILE:LINE:COLUMN: what is wrong. Plugins are loaded (in a
process that is thrown away) to check their options; no socket is opened. Exit
status: 0 the config can be served, 78 it cannot.

Example:
  berth check conf/berth.yaml
)";

int check(const std::string& given) {
  const auto file = config_or_default(given);
  const auto config = checked_config(file);
  if (!config) return kExitConfig;
  for (const std::string& warning : config->warnings) {
    std::printf("%s (a warning)\n", warning.c_str());
  }
  std::printf("%s: fine, %zu listeners\n", file.c_str(), config->settings.listeners.size());
  return kExitFine;
}

}  // namespace

void add_check(CLI::App& app, int& status) {
  auto* const command = app.add_subcommand("check", "Tell every mistake in a config.");
  command->footer(kFooter);
  const auto config = std::make_shared<std::string>();
  command->add_option("CONFIG", *config, "the config [conf/berth.yaml, /etc/berth/berth.yaml]");
  command->callback([config, &status] { status = check(*config); });
}

}  // namespace berth
