#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/config_argument.hpp"
#include "cli/program_path.hpp"
#include "supervise/activated_sockets.hpp"
#include "supervise/hand_over.hpp"
#include "supervise/service_manager.hpp"
#include "supervise/supervisor.hpp"

namespace berth {

namespace {

constexpr const char* kFooter =
    R"(Stops in order on SIGTERM or Ctrl-C: no new connections, then up to drain_timeout
for those that are open; at once on SIGQUIT or a second Ctrl-C. SIGHUP reads the
config again, SIGUSR1 opens the log file anew, SIGUSR2 replaces the running binary
by the one that now stands in its place; none of them loses a connection, and none
changes anything if what it finds is wrong. Exit status: 0 stopped as told,
1 failed, 78 the config is wrong.

Examples:
  berth run                      serve conf/berth.yaml
  berth run /etc/berth/web.yaml  serve another config
)";

struct RunOptions {
  std::string config;
  int handed_over = -1;
  bool only_check = false;
};

int tell(const Error& error) {
  (void)std::fprintf(stderr, "%s\n", error.message.c_str());
  return kExitFailed;
}

// For the binary that runs: whether this one can take its place.
int check_hand_over(const HandedOver& state, const std::filesystem::path& file) {
  const ConfigReader reader = config_reader();
  for (const HandedOver::Config& config : state.configs) {
    if (auto settings = reader.read(config.text, file); !settings) return tell(settings.error());
  }
  if (!checked_config(file)) return kExitConfig;
  (void)std::fputs(kTakesOver.data(), stdout);
  return kExitFine;
}

// What nobody has asked for, and somebody may wonder about.
void tell_default_user(const HostSettings& settings, Log& log) {
  for (const ListenerSettings& listener : settings.listeners) {
    const bool by_default = listener.user.empty() && listener.privileges->account;
    if (!by_default) continue;
    return log.info("started as root: handlers run as user '{}' where the config names no other",
                    listener.privileges->account->name);
  }
}

int take_over(const RunOptions& options, const Supervisor::Setup& setup, ServiceManager& manager,
              Log& log) {
  Fd memory(options.handed_over);
  const auto state = read_handed_over(memory.get());
  memory.reset();  // it is not closed by an exec, and another may come
  if (!state) return tell(state.error());
  if (options.only_check) return check_hand_over(state.value(), setup.file);
  const auto served = Supervisor(setup, log, manager).take_over(state.value());
  return served ? kExitFine : tell(served.error());
}

int run(const RunOptions& options) {
  // First of all, before anything is opened or started that could take them over.
  ServiceManager manager(ServiceEnvironment::take());
  std::vector<std::string> warnings;
  auto activated = ActivatedSockets::from_environment(warnings);

  const auto file = config_or_default(options.config);
  const Supervisor::Setup setup = {.file = std::filesystem::absolute(file),
                                   .program = program_path(),
                                   .reader = config_reader()};
  Log log;
  if (options.handed_over >= 0) return take_over(options, setup, manager, log);
  auto config = checked_config(file);
  if (!config) return kExitConfig;
  if (auto opened = log.open(config->settings.log); !opened) return tell(opened.error());
  tell_default_user(config->settings, log);
  warnings.insert(warnings.end(), config->warnings.begin(), config->warnings.end());
  for (const std::string& warning : warnings) log.warn("{}", warning);
  const auto served = Supervisor(setup, log, manager, std::move(activated)).run(std::move(*config));
  return served ? kExitFine : tell(served.error());
}

}  // namespace

void add_run(CLI::App& app, int& status) {
  auto* const command = app.add_subcommand("run", "Serve a config until told to stop.");
  command->footer(kFooter);
  const auto options = std::make_shared<RunOptions>();
  command->add_option("CONFIG", options->config,
                      "the config [conf/berth.yaml, /etc/berth/berth.yaml]");
  // From one binary to the next, and from nobody else: not shown.
  command->add_option("--handed-over", options->handed_over)->group("");
  command->add_flag("--only-check", options->only_check)->group("");
  command->callback([options, &status] { status = run(*options); });
}

}  // namespace berth
