#include <cstdio>
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

int tell(const Error& error) {
  (void)std::fprintf(stderr, "%s\n", error.message.c_str());
  return kExitFailed;
}

// For the binary that runs: whether this one can take its place.
int check_hand_over(const HandedOver& state, const std::filesystem::path& file) {
  const ConfigReader reader = config_reader();
  for (const HandedOver::Config& config : state.configs) {
    const auto files = files_of(config);
    if (!files) return tell(files.error());
    const auto settings = reader.read(config.text, file, files.value());
    if (!settings) return tell(settings.error());
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

int take_over(const RunArguments& arguments, const Supervisor::Setup& setup,
              ServiceManager& manager, Log& log) {
  Fd memory(arguments.handed_over);
  const auto state = read_handed_over(memory.get());
  memory.reset();  // it is not closed by an exec, and another may come
  if (!state) return tell(state.error());
  if (arguments.only_check) return check_hand_over(state.value(), setup.file);
  const auto served = Supervisor(setup, log, manager).take_over(state.value());
  return served ? kExitFine : tell(served.error());
}

}  // namespace

int run_command(const RunArguments& arguments) {
  // First of all, before anything is opened or started that could take them over.
  ServiceManager manager(ServiceEnvironment::take());
  std::vector<std::string> warnings;
  auto activated = ActivatedSockets::from_environment(warnings);

  const auto file = config_or_default(arguments.config);
  const Supervisor::Setup setup = {.file = std::filesystem::absolute(file),
                                   .program = program_path(),
                                   .reader = config_reader()};
  Log log;
  if (arguments.handed_over >= 0) return take_over(arguments, setup, manager, log);
  auto config = checked_config(file);
  if (!config) return kExitConfig;
  if (auto opened = log.open(config->settings.log); !opened) return tell(opened.error());
  tell_default_user(config->settings, log);
  warnings.insert(warnings.end(), config->warnings.begin(), config->warnings.end());
  for (const std::string& warning : warnings) log.warn("{}", warning);
  const auto served = Supervisor(setup, log, manager, std::move(activated)).run(std::move(*config));
  return served ? kExitFine : tell(served.error());
}

}  // namespace berth
