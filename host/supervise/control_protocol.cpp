#include "supervise/control_protocol.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/source.hpp"

namespace berth {

namespace {

using Json = nlohmann::json;

// In the order of ControlCommand.
constexpr std::array<std::string_view, 6> kCommands = {"status", "reload", "upgrade",
                                                       "drain",  "resume", "stop"};

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<ControlCommand> parse_command(const Json& json) {
  if (!json.contains("command") || !json["command"].is_string()) {
    return Error{"a request names its \"command\""};
  }
  const auto& name = json["command"].get_ref<const std::string&>();
  for (std::size_t i = 0; i < kCommands.size(); ++i) {
    if (name == kCommands[i]) return static_cast<ControlCommand>(i);
  }
  const std::vector<std::string> names(kCommands.begin(), kCommands.end());
  return Error{"there is no command " + in_quotes(name) + did_you_mean(name, names) +
               " (there are " + one_of(names) + ")"};
}

}  // namespace

Result<ControlRequest> parse_request(std::string_view line) {
  const Json json = Json::parse(line.begin(), line.end(), nullptr, false);
  if (!json.is_object()) return Error{"a request is one JSON object in a line"};
  const auto command = parse_command(json);
  if (!command) return command.error();
  ControlRequest request = {.command = command.value(), .listener = {}};
  for (const auto& [key, value] : json.items()) {
    if (key == "command") continue;
    if (key == "listener" && value.is_string()) {
      request.listener = value.get<std::string>();
    } else if (key == "at_once" && value.is_boolean()) {
      request.at_once = value.get<bool>();
    } else {
      return Error{"a request has no " + in_quotes(key) + " of that kind"};
    }
  }
  const bool of_one =
      request.command == ControlCommand::drain || request.command == ControlCommand::resume;
  if (of_one && request.listener.empty()) return Error{"that command names its \"listener\""};
  return request;
}

std::string to_line(const ControlRequest& request) {
  Json json = {{"command", kCommands[static_cast<std::size_t>(request.command)]}};
  if (!request.listener.empty()) json["listener"] = request.listener;
  if (request.at_once) json["at_once"] = true;
  return line_of(json);
}

std::string answer_ok(std::string_view message) {
  return line_of({{"ok", true}, {"message", message}});
}

std::string answer_error(std::string_view error) {
  return line_of({{"ok", false}, {"error", error}});
}

}  // namespace berth
