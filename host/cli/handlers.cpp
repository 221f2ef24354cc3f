#include <cstdio>
#include <sstream>
#include <variant>

#include "base/escape.hpp"
#include "base/format.hpp"
#include "cli/commands.hpp"
#include "cli/config_argument.hpp"
#include "config/check_accounts.hpp"
#include "config/config.hpp"
#include "plugin/find.hpp"
#include "plugin/load.hpp"
#include "plugin/options.hpp"
#include "plugin/try_in_child.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

struct Shown {
  bool is_usable;
  std::string text;
};

// What the child's answer begins with.
constexpr char kUsable = '+';
constexpr char kNotUsable = '-';

std::string describe(const berth_plugin& plugin, const fs::path& file) {
  std::string out = file.stem().string() + "  (" + file.string() + ")\n";
  out += std::string("  ") + plugin.summary + "\n";
  for (std::size_t i = 0; i < plugin.option_count; ++i) {
    const berth_option& option = option_row(plugin, i);
    const std::string fallback =
        option.required != 0 ? "required" : std::string("default ") + option.default_value;
    const std::string limits = limits_of(option);
    out += formatted("    {}: {}{}{}, {}\n        {}\n", option.name, type_of(option),
                     limits.empty() ? "" : ", ", limits, fallback, option.help);
  }
  return out;
}

// In a child, since looking at a plugin runs its constructors: what it is, or why it cannot be
// used.
std::string load_and_describe(const fs::path& file, const Privileges& privileges) {
  const auto opened = open_plugin(file);
  if (!opened) return kNotUsable + opened.error().message;
  const auto dropped = drop_privileges(privileges);
  if (!dropped) return kNotUsable + dropped.error().message;
  const auto plugin = load_plugin(file, opened.value());
  if (!plugin) return kNotUsable + plugin.error().message;
  return kUsable + describe(*plugin.value(), file);
}

// It was written by a process that had run the plugin's code.
std::string printable(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) out += escaped(line) + "\n";
  return out;
}

Shown describe_file(const fs::path& file, const Privileges& privileges) {
  const auto answer = try_in_child([&] { return load_and_describe(file, privileges); });
  const bool is_usable = answer && answer.value().starts_with(kUsable);
  if (is_usable) return {true, printable(answer.value().substr(1))};
  std::string why =
      answer ? answer.value() : "loading " + file.string() + " " + answer.error().message;
  if (why.starts_with(kNotUsable)) why.erase(0, 1);
  return {false, printable(file.stem().string() + "  cannot be used: " + why)};
}

int show(const std::vector<fs::path>& folders, const Privileges& privileges) {
  const auto files = all_handlers(folders);
  for (const auto& file : files) {
    (void)std::fputs(describe_file(file, privileges).text.c_str(), stdout);
  }
  if (!files.empty()) return kExitFine;
  (void)std::fputs("no handlers (NAME.so) in", stderr);
  for (const auto& folder : folders) (void)std::fprintf(stderr, " %s", folder.c_str());
  (void)std::fputs("\n", stderr);
  return kExitFailed;
}

}  // namespace

int handlers_command(const std::string& given) {
  HostSettings settings;
  settings.plugin_folders = {given};
  std::error_code ignored;
  const bool is_folder = fs::is_directory(given, ignored);
  const bool is_plugin = !is_folder && fs::path(given).extension() == ".so";
  if (!is_folder && !is_plugin) {
    const fs::path file = config_or_default(given);
    Diagnostics problems(file.string());
    settings = load_config(file, problems);
    if (!problems.empty()) {
      (void)std::fprintf(stderr, "%s\n", problems.to_text().c_str());
      return kExitConfig;
    }
  }
  const auto privileges =
      privileges_of(settings.user, settings.group, host_user(), system_accounts());
  if (const auto* mistake = std::get_if<AccountMistake>(&privileges)) {
    (void)std::fprintf(stderr, "%s\n", mistake->message.c_str());
    return kExitConfig;
  }
  if (!is_plugin) return show(settings.plugin_folders, std::get<Privileges>(privileges));
  const Shown shown = describe_file(given, std::get<Privileges>(privileges));
  (void)std::fputs(shown.text.c_str(), stdout);
  return shown.is_usable ? kExitFine : kExitFailed;
}

}  // namespace berth
