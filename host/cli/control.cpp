// The subcommands that speak to a host that runs: status, reload, upgrade, drain, resume, stop.
#include <cstdio>
#include <fstream>
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

// The line alone that names the control socket: a config that is broken elsewhere is the very thing
// that a host is to be asked about.
std::string control_line(const std::filesystem::path& file) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("control:")) return line + "\n";
  }
  return "";
}

std::filesystem::path socket_of(const ControlArguments& arguments) {
  if (!arguments.socket.empty()) return arguments.socket;
  const auto file = config_or_default(arguments.config);
  Diagnostics ignored(file.string());
  HostSettings settings = load_config(file, ignored);
  if (settings.control.empty()) settings = config_from_text(control_line(file), file, ignored);
  return settings.control.empty() ? default_control_path(file) : settings.control;
}

int tell(const std::string& error) {
  (void)std::fprintf(stderr, "berth: %s\n", error.c_str());
  return kExitFailed;
}

}  // namespace

int control_command(const ControlArguments& arguments) {
  const auto answer = ask_host(socket_of(arguments), arguments.request);
  if (!answer) return tell(answer.error().message);
  const Json json = Json::parse(answer.value(), nullptr, false);
  if (!json.is_object() || !json.contains("ok")) {
    return tell("the host's answer was cut short: it may have ended");
  }
  if (!json["ok"].get<bool>()) return tell(json.value("error", "it failed"));
  if (arguments.request.command != ControlCommand::status) {
    std::printf("%s\n", json.value("message", "done").c_str());
  } else if (arguments.json) {
    std::printf("%s\n", json["status"].dump(2).c_str());
  } else {
    std::printf("%s", status_text(json["status"]).c_str());
  }
  return kExitFine;
}

}  // namespace berth
