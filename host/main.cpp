// The program `berth`: parses the command line and hands over to the subcommand.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/source.hpp"
#include "cli/commands.hpp"
#include "cli/config_argument.hpp"

namespace {

constexpr const char* kDescription =
    "berth serves: one YAML file lists listeners, each with the addresses it takes connections on, "
    "a handler (a plugin) and a concurrency model.";

constexpr const char* kFooter = R"(Start here:
  berth run       serve conf/berth.yaml
  berth send      greet it, from another terminal
  berth COMMAND --help
)";

// CLI11 tells of a word that is no command only that a command is missing.
bool tell_unknown_command(const CLI::App& app, const char* word) {
  if (word == nullptr || *word == '-') return false;
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
  if (std::find(commands.begin(), commands.end(), word) != commands.end()) return false;
  (void)std::fprintf(stderr, "berth: there is no command %s%s (there are %s)\n",
                     berth::in_quotes(word).c_str(), berth::did_you_mean(word, commands).c_str(),
                     berth::one_of(commands).c_str());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  berth::fill_standard_descriptors();
  int status = berth::kExitFine;
  CLI::App app(kDescription, "berth");
  app.set_version_flag("--version", "berth " BERTH_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  berth::add_run(app, status);
  berth::add_check(app, status);
  berth::add_handlers(app, status);
  berth::add_models(app, status);
  berth::add_send(app, status);
  berth::add_control(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {  // a mistake, or a call for help
    if (tell_unknown_command(app, argc > 1 ? argv[1] : nullptr)) return berth::kExitUsage;
    return app.exit(stop) == 0 ? berth::kExitFine : berth::kExitUsage;
  } catch (const std::exception& fault) {
    (void)std::fprintf(stderr, "berth: %s\n", fault.what());
    return berth::kExitFailed;
  }
  return status;
}
