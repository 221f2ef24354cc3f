#include "config/config.hpp"

#include <exception>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "config/config_text.hpp"
#include "config/listener_reader.hpp"
#include "config/map_reader.hpp"
#include "config/value_reader.hpp"
#include "config/yaml_tree.hpp"

namespace berth {
namespace {

namespace fs = std::filesystem;

// man 7 unix; the host binds it under a longer name first.
constexpr std::size_t kLongestSocketPath = 96;

KnownKeys keys_of_top() {
  KnownKeys known = {"the top level",
                     {"plugins", "user", "group", "log", "control", "watch", "defaults",
                      "drain_timeout", "listeners"}};
  for (const std::string& key : listener_keys()) {
    known.elsewhere[key] = "'" + key + "' is a key of a listener; put it under 'listeners:'" +
                           (key == "name" || key == "listen" ? "" : " or 'defaults:'");
  }
  for (const std::string& key : known.names) known.elsewhere.erase(key);
  return known;
}

// A path of the config, absolute; a relative one is taken from the config's folder.
std::optional<fs::path> read_path(const YamlNode& node, std::string_view key, std::string_view what,
                                  const fs::path& folder, Diagnostics& problems) {
  const auto text = read_text(node, key, what, problems);
  if (!text) return std::nullopt;
  if (text->find('\0') != std::string::npos) {
    problems.add(node.where, "a path cannot have a NUL character in it: " + in_quotes(*text));
    return std::nullopt;
  }
  return (folder / *text).lexically_normal();
}

// False if there is no such folder, which is told then.
[[nodiscard]] bool check_folder(const fs::path& folder, Position where, std::string_view text,
                                Diagnostics& problems) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return true;
  std::string message = "no such folder: " + folder.string();
  if (error && error != std::errc::no_such_file_or_directory) {
    message = "cannot look into " + folder.string() + ": " + error.message();
  } else if (fs::exists(folder, error)) {
    message = "not a folder: " + folder.string();
  } else if (text.starts_with('~')) {
    message += " ('~' is not replaced here; write the path in full)";
  }
  problems.add(where, message);
  return false;
}

// Nothing if any of them is wrong: the handlers looked for may be there.
std::vector<fs::path> read_plugins(const YamlNode& node, const fs::path& folder,
                                   Diagnostics& problems) {
  std::vector<fs::path> folders;
  bool all_there = true;
  for (const YamlNode* item : read_one_or_more(node, "plugins", "a folder", problems)) {
    auto path = read_path(*item, "plugins", "a folder", folder, problems);
    all_there = path && check_folder(*path, item->where, item->scalar, problems) && all_there;
    if (all_there) folders.push_back(std::move(*path));
  }
  return all_there ? folders : std::vector<fs::path>();
}

std::string read_log_file(const YamlNode& node, const fs::path& folder, Diagnostics& problems) {
  if (node.kind == YamlNode::Kind::scalar && node.scalar == "-") return "-";
  const auto path = read_path(node, "file", "a file, or - for standard error", folder, problems);
  if (!path) return "-";
  std::error_code error;
  if (fs::is_directory(*path, error)) {
    problems.add(node.where, "the log must be a file, not a folder: " + path->string());
  } else {
    (void)check_folder(path->parent_path(), node.where, node.scalar, problems);
  }
  return path->string();
}

LogSettings read_log(const YamlNode& node, const fs::path& folder, Diagnostics& problems) {
  // In the order of LogLevel and LogFormat.
  const std::vector<std::string> levels = {"trace", "debug", "info", "warn", "error", "critical"};
  const std::vector<std::string> formats = {"text", "json"};
  const MapReader keys(node, {"'log'", {"level", "format", "connections", "file"}}, problems);
  LogSettings log;
  if (const YamlNode* level = keys.find("level")) {
    if (const auto index = read_choice(*level, "level", levels, problems)) {
      log.level = static_cast<LogLevel>(*index);
    }
  }
  if (const YamlNode* format = keys.find("format")) {
    if (const auto index = read_choice(*format, "format", formats, problems)) {
      log.format = static_cast<LogFormat>(*index);
    }
  }
  if (const YamlNode* connections = keys.find("connections")) {
    log.connections = read_switch(*connections, "connections", problems).value_or(true);
  }
  if (const YamlNode* file = keys.find("file")) log.file = read_log_file(*file, folder, problems);
  return log;
}

fs::path read_control(const YamlNode& node, const fs::path& folder, Diagnostics& problems) {
  const auto path = read_path(node, "control", "the path of a socket", folder, problems);
  if (!path) return {};
  if (path->string().size() > kLongestSocketPath) {
    problems.add(node.where, "the path of a socket has at most " +
                                 std::to_string(kLongestSocketPath) + " bytes, not " +
                                 std::to_string(path->string().size()) + ": " + path->string());
  }
  (void)check_folder(path->parent_path(), node.where, node.scalar, problems);
  return *path;
}

void read_entries(const YamlNode& node, ListenerReader& reader, Diagnostics& problems) {
  if (node.kind != YamlNode::Kind::list) {
    problems.add(node.where, "'listeners' must be a list, not " + std::string(kind_name(node)) +
                                 "; begin each listener with '- name:'");
    return;
  }
  if (node.items.empty()) {
    problems.add(node.where, "'listeners' is an empty list; there is nothing to serve");
    return;
  }
  for (const YamlNode* entry : read_one_or_more(node, "listeners", "a listener", problems)) {
    reader.read(*entry);
  }
}

void read_listeners(const YamlNode& root, const MapReader& top, HostSettings& settings,
                    Diagnostics& problems) {
  ListenerReader reader(settings.file.parent_path(), problems);
  reader.read_account(top);
  settings.user = reader.defaults().user;
  settings.group = reader.defaults().group;
  if (const YamlNode* node = top.find("drain_timeout")) reader.read_drain_timeout(*node);
  if (const YamlNode* node = top.find("defaults")) reader.read_defaults(*node);
  for (const char* key : {"model", "handler", "tls"}) {
    const bool unreadable_defaults = top.attempted("defaults") && top.find("defaults") == nullptr;
    if (top.attempted(key) || unreadable_defaults) reader.assume_given(key);
  }
  if (const YamlNode* node = top.find("listeners")) {
    read_entries(*node, reader, problems);
  } else if (!top.attempted("listeners")) {
    problems.add(root.where, "'listeners:' is missing; it lists what to serve");
  }
  settings.listeners = reader.finish();
}

HostSettings settings_of(const std::string& text, const fs::path& file, Diagnostics& problems) {
  HostSettings settings;
  settings.file = fs::absolute(file).lexically_normal();
  if (!check_is_text(text, problems)) return settings;
  const auto root = parse_yaml(text, problems);
  if (!root) return settings;
  const MapReader top(*root, keys_of_top(), problems);

  const fs::path folder = settings.file.parent_path();
  if (const YamlNode* node = top.find("plugins")) {
    settings.plugin_folders = read_plugins(*node, folder, problems);
  } else if (!top.attempted("plugins")) {
    settings.plugin_folders = {folder / "plugins", BERTH_PLUGIN_FOLDER};
  }
  if (const YamlNode* node = top.find("log")) settings.log = read_log(*node, folder, problems);
  if (const YamlNode* node = top.find("control")) {
    settings.control = read_control(*node, folder, problems);
  }
  if (const YamlNode* node = top.find("watch")) {
    settings.watch = read_switch(*node, "watch", problems).value_or(false);
  }
  read_listeners(*root, top, settings, problems);
  return settings;
}

// Memory ran out, or the working folder is gone.
void tell(const std::exception& error, Diagnostics& problems) {
  problems.add({}, std::string("cannot be read: ") + error.what());
}

}  // namespace

HostSettings load_config(const fs::path& file, Diagnostics& problems) {
  try {
    if (const auto text = read_config_text(file, problems)) {
      return settings_of(*text, file, problems);
    }
  } catch (const std::exception& error) {
    tell(error, problems);
  }
  return {};
}

HostSettings config_from_text(const std::string& text, const fs::path& file,
                              Diagnostics& problems) {
  try {
    return settings_of(text, file, problems);
  } catch (const std::exception& error) {
    tell(error, problems);
  }
  return {};
}

}  // namespace berth
