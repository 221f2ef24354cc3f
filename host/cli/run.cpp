#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "cli/commands.hpp"
#include "cli/config_argument.hpp"
#include "supervise/supervisor.hpp"

namespace berth {

namespace {

constexpr const char* kFooter =
    R"(Stops in order on SIGTERM or Ctrl-C: no new connections, then up to drain_timeout
for those that are open; at once on SIGQUIT or a second Ctrl-C. SIGUSR1 opens the
log file anew. Exit status: 0 stopped as told, 1 failed, 78 the config is wrong.

Examples:
  berth run                      serve conf/berth.yaml
  berth run /etc/berth/web.yaml  serve another config
)";

int run(const std::string& given) {
  auto config = checked_config(config_or_default(given));
  if (!config) return kExitConfig;
  Log log;
  if (auto opened = log.open(config->settings.log); !opened) {
    (void)std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    return kExitFailed;
  }
  Supervisor supervisor(std::move(config->settings), std::move(config->handlers), log);
  const auto served = supervisor.run();
  if (served) return kExitFine;
  (void)std::fprintf(stderr, "%s\n", served.error().message.c_str());
  return kExitFailed;
}

}  // namespace

void add_run(CLI::App& app, int& status) {
  auto* const command = app.add_subcommand("run", "Serve a config until told to stop.");
  command->footer(kFooter);
  const auto config = std::make_shared<std::string>();
  command->add_option("CONFIG", *config, "the config [conf/berth.yaml, /etc/berth/berth.yaml]");
  command->callback([config, &status] { status = run(*config); });
}

}  // namespace berth
