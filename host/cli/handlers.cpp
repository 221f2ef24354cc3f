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

constexpr std::string_view kRefused = "  cannot be used: ";

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

// In a child. Looking at a plugin runs its constructors.
std::string load_and_describe(const fs::path& file, const Privileges& privileges) {
  const std::string refused = file.stem().string() + std::string(kRefused);
  const auto opened = open_plugin(file);
  if (!opened) return refused + opened.error().message + "\n";
  const auto dropped = drop_privileges(privileges);
  if (!dropped) return refused + dropped.error().message + "\n";
  const auto plugin = load_plugin(file, opened.value());
  if (!plugin) return refused + plugin.error().message + "\n";
  return describe(*plugin.value(), file);
}

// It was written by a process that had run the plugin's code.
std::string printable(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) out += escaped(line) + "\n";
  return out;
}

std::string describe_file(const fs::path& file, const Privileges& privileges) {
  const auto text = try_in_child([&] { return load_and_describe(file, privileges); });
  if (text) return printable(text.value());
  return file.stem().string() + std::string(kRefused) + "loading " + file.string() + " " +
         text.error().message + "\n";
}

int show(const std::vector<fs::path>& folders, const Privileges& privileges) {
  const auto files = all_handlers(folders);
  for (const auto& file : files) (void)std::fputs(describe_file(file, privileges).c_str(), stdout);
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
  const std::string text = describe_file(given, std::get<Privileges>(privileges));
  (void)std::fputs(text.c_str(), stdout);
  const std::string name = fs::path(given).stem().string();
  return text.starts_with(name + std::string(kRefused)) ? kExitFailed : kExitFine;
}

}  // namespace berth
