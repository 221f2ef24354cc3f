#include "config/check_handlers.hpp"

#include <map>
#include <sstream>

#include "plugin/find.hpp"
#include "plugin/load.hpp"
#include "plugin/options.hpp"
#include "plugin/try_in_child.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

using Listeners = std::vector<const ListenerSettings*>;

// In the child: every problem as `LINE COLUMN MESSAGE`, a line each.
std::string problems_of(const fs::path& file, const Listeners& listeners) {
  Diagnostics problems("");
  const auto plugin = load_plugin(file);
  for (const ListenerSettings* listener : listeners) {
    if (!plugin) {
      problems.add(listener->where.handler, plugin.error().message);
    } else {
      (void)bind_options(*plugin.value(), listener->options, listener->where.handler, problems);
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

}  // namespace

std::vector<fs::path> check_handlers(const HostSettings& settings, Diagnostics& problems) {
  std::vector<fs::path> files;
  std::map<fs::path, Listeners> users;
  for (const ListenerSettings& listener : settings.listeners) {
    // No name, or folders that are wrong: that has been told, and what follows from it has not.
    if (listener.handler.empty() || settings.plugin_folders.empty()) {
      files.emplace_back();
      continue;
    }
    const auto file = find_handler(listener.handler, settings.plugin_folders);
    if (file) {
      users[file.value()].push_back(&listener);
    } else {
      problems.add(listener.where.handler, file.error().message);
    }
    files.push_back(file ? file.value() : fs::path());
  }
  for (const auto& [file, listeners] : users) check_file(file, listeners, problems);
  return files;
}

}  // namespace berth
