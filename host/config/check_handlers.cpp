#include "config/check_handlers.hpp"

#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "base/privileges.hpp"
#include "plugin/find.hpp"
#include "plugin/handler.hpp"
#include "plugin/load.hpp"
#include "plugin/options.hpp"
#include "plugin/safe_path.hpp"
#include "plugin/try_in_child.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

using Listeners = std::vector<const ListenerSettings*>;

// As a worker does it: nothing of the plugin runs before the privileges are dropped.
Result<const berth_plugin*> load_dropped(const fs::path& file, const Privileges& privileges) {
  const auto opened = open_plugin(file);
  if (!opened) return opened.error();
  if (auto dropped = drop_privileges(privileges); !dropped) return dropped.error();
  return load_plugin(file, opened.value());
}

void check_options(const berth_plugin& plugin, const ListenerSettings& listener,
                   Diagnostics& problems) {
  Diagnostics own("");
  const BoundOptions options = bind_options(plugin, listener.options, listener.where.handler, own);
  for (const auto& [where, message] : own.sorted()) problems.add(where, message);
  if (!own.empty()) return;
  if (auto taken = check_settings(plugin, options); !taken) {
    problems.add(listener.where.handler,
                 "handler '" + listener.handler + "' refuses: " + taken.error().message);
  }
}

// In the child: every problem as `LINE COLUMN MESSAGE`, a line each.
std::string problems_of(const fs::path& file, const Listeners& listeners) {
  Diagnostics problems("");
  const auto plugin = load_dropped(file, *listeners.front()->privileges);
  for (const ListenerSettings* listener : listeners) {
    if (!plugin) {
      problems.add(listener->where.handler, plugin.error().message);
    } else {
      check_options(*plugin.value(), *listener, problems);
    }
  }
  std::ostringstream out;
  for (const auto& [where, message] : problems.sorted()) {
    out << where.line << ' ' << where.column << ' ' << message << '\n';
  }
  return out.str();
}

void add_all(const std::string& text, Diagnostics& problems) {
  std::istringstream lines(text);
  Position where;
  std::string message;
  while (lines >> where.line >> where.column && std::getline(lines >> std::ws, message)) {
    problems.add(where, message);
  }
}

void check_file(const fs::path& file, const Listeners& listeners, Diagnostics& problems) {
  const auto found = try_in_child([&] { return problems_of(file, listeners); });
  if (found) return add_all(found.value(), problems);
  for (const ListenerSettings* listener : listeners) {
    problems.add(listener->where.handler, "loading " + file.string() + " " + found.error().message);
  }
}

// Where loading goes on in spite of a hazard; open_plugin() refuses what it does not go on with.
void warn_of_hazard(const fs::path& file, const ListenerSettings& listener, Diagnostics& warnings) {
  const auto hazard = hazard_of(file);
  if (hazard && (hazard->of_program_too || !is_root_among_others())) {
    warnings.add(listener.where.handler, hazard->message);
  }
}

}  // namespace

std::vector<fs::path> check_handlers(const HostSettings& settings, Diagnostics& problems,
                                     Diagnostics& warnings) {
  std::vector<fs::path> files;
  std::set<fs::path> seen;
  // Listeners of one file and one user share a child.
  std::map<std::pair<fs::path, Privileges>, Listeners> users;
  for (const ListenerSettings& listener : settings.listeners) {
    // No name, or folders that are wrong: that has been told, and what follows from it has not.
    if (listener.handler.empty() || settings.plugin_folders.empty()) {
      files.emplace_back();
      continue;
    }
    const auto file = find_handler(listener.handler, settings.plugin_folders);
    files.push_back(file ? file.value() : fs::path());
    if (!file) {
      problems.add(listener.where.handler, file.error().message);
      continue;
    }
    if (seen.insert(file.value()).second) warn_of_hazard(file.value(), listener, warnings);
    if (listener.privileges) users[{file.value(), *listener.privileges}].push_back(&listener);
  }
  for (const auto& [key, listeners] : users) check_file(key.first, listeners, problems);
  return files;
}

}  // namespace berth
