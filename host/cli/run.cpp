#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/config_argument.hpp"
#include "supervise/activated_sockets.hpp"
#include "supervise/service_manager.hpp"
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

// What nobody has asked for, and somebody may wonder about.
void tell_default_user(const HostSettings& settings, Log& log) {
  for (const ListenerSettings& listener : settings.listeners) {
    const bool by_default = listener.user.empty() && listener.privileges->account;
    if (!by_default) continue;
    return log.info("started as root: handlers run as user '{}' where the config names no other",
                    listener.privileges->account->name);
  }
}

int run(const std::string& given) {
  // First of all, before anything is opened or started that could take them over.
  ServiceManager manager(ServiceEnvironment::take());
  std::vector<std::string> warnings;
  auto activated = ActivatedSockets::from_environment(warnings);

  auto config = checked_config(config_or_default(given));
  if (!config) return kExitConfig;
  Log log;
  if (auto opened = log.open(config->settings.log); !opened) {
    (void)std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    return kExitFailed;
  }
  tell_default_user(config->settings, log);
  warnings.insert(warnings.end(), config->warnings.begin(), config->warnings.end());
  for (const std::string& warning : warnings) log.warn("{}", warning);
  Supervisor supervisor(std::move(config->settings), std::move(config->handlers), log, manager,
                        std::move(activated));
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
