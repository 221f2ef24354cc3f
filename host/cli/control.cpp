// The subcommands that speak to a host that runs: status, reload, upgrade, drain, resume, stop.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/config_argument.hpp"
#include "cli/control_client.hpp"
#include "cli/status.hpp"
#include "config/config.hpp"
#include "supervise/control_path.hpp"

namespace berth {

namespace {

using Json = nlohmann::json;

struct ControlOptions {
  std::string listener;
  std::string config;
  std::string socket;
  bool json = false;
  bool at_once = false;
};

// One subcommand.
struct Row {
  ControlCommand command;
  const char* name;
  const char* summary;
  const char* footer;
  bool names_listener;
};

constexpr Row kRows[] = {
    {ControlCommand::status, "status", "Show listeners, workers and connections of a host.",
     "Shows each listener with its generation (which reload made it), its workers and their\n"
     "connections; below it, older generations that still drain.\n",
     false},
    {ControlCommand::reload, "reload", "Have a host read its config and plugins again.",
     "Checks everything first; then starts what is new beside what serves, and lets the old drain\n"
     "once the new is ready. A mistake is told, and changes nothing. What has not changed is left\n"
     "alone.\n",
     false},
    {ControlCommand::upgrade, "upgrade", "Have a host replace its own binary.",
     "The program that now stands where the host was started from checks the config, takes over\n"
     "the sockets under the same process number, starts workers of its own, and lets the old ones\n"
     "drain. One that cannot changes nothing. To put it there, write a new file and rename it.\n",
     false},
    {ControlCommand::drain, "drain", "Take a listener out of service.",
     "No new connections; those that are open go on, up to drain_timeout. Ends when the last has.\n"
     "The listener's address is free afterwards, until `berth resume`.\n",
     true},
    {ControlCommand::resume, "resume", "Put a listener back into service.", "", true},
    {ControlCommand::stop, "stop", "Stop a host.",
     "In order: no new connections, then up to drain_timeout for those that are open.\n", false},
};

constexpr const char* kStatusNote =
    "Exit status: 0 if it was done, 1 if not, with the reason on standard error.\n";

// The line alone that names the control socket: a config that is broken elsewhere is the very thing
// that a host is to be asked about.
std::string control_line(const std::filesystem::path& file) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("control:")) return line + "\n";
  }
  return "";
}

std::filesystem::path socket_of(const ControlOptions& options) {
  if (!options.socket.empty()) return options.socket;
  const auto file = config_or_default(options.config);
  Diagnostics ignored(file.string());
  HostSettings settings = load_config(file, ignored);
  if (settings.control.empty()) settings = config_from_text(control_line(file), file, ignored);
  return settings.control.empty() ? default_control_path(file) : settings.control;
}

int tell(const std::string& error) {
  (void)std::fprintf(stderr, "berth: %s\n", error.c_str());
  return kExitFailed;
}

int ask(const Row& row, const ControlOptions& options) {
  const ControlRequest request = {
      .command = row.command, .listener = options.listener, .at_once = options.at_once};
  const auto answer = ask_host(socket_of(options), request);
  if (!answer) return tell(answer.error().message);
  const Json json = Json::parse(answer.value(), nullptr, false);
  if (!json.is_object() || !json.contains("ok")) {
    return tell("the host's answer was cut short: it may have ended");
  }
  if (!json["ok"].get<bool>()) return tell(json.value("error", "it failed"));
  if (row.command != ControlCommand::status) {
    std::printf("%s\n", json.value("message", "done").c_str());
  } else if (options.json) {
    std::printf("%s\n", json["status"].dump(2).c_str());
  } else {
    std::printf("%s", status_text(json["status"]).c_str());
  }
  return kExitFine;
}

void add(CLI::App& app, const Row& row, int& status) {
  auto* const command = app.add_subcommand(row.name, row.summary);
  command->footer(std::string(row.footer) + kStatusNote);
  const auto options = std::make_shared<ControlOptions>();
  if (row.names_listener) {
    command->add_option("LISTENER", options->listener, "its name in the config")->required();
  }
  command->add_option("CONFIG", options->config,
                      "the config that the host serves [conf/berth.yaml, /etc/berth/berth.yaml]");
  command->add_option("--socket", options->socket, "the host's control socket, instead of CONFIG");
  if (row.command == ControlCommand::status) {
    command->add_flag("--json", options->json, "for programs");
  }
  if (row.command == ControlCommand::stop) {
    command->add_flag("--now", options->at_once, "at once: open connections are cut");
  }
  command->callback([&row, options, &status] { status = ask(row, *options); });
}

}  // namespace

void add_control(CLI::App& app, int& status) {
  for (const Row& row : kRows) add(app, row, status);
}

}  // namespace berth
