// The program `berth`: parses the command line and hands over to the subcommand.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "base/fd.hpp"
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
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {  // a mistake, or a call for help
    return app.exit(stop) == 0 ? berth::kExitFine : berth::kExitUsage;
  } catch (const std::exception& fault) {
    (void)std::fprintf(stderr, "berth: %s\n", fault.what());
    return berth::kExitFailed;
  }
  return status;
}
