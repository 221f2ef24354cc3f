// The whole config as plain values.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "serve/listener_settings.hpp"

namespace berth {

struct HostSettings {
  std::filesystem::path file;  // the config these came from
  // Searched in this order; none only where the config's own are wrong.
  std::vector<std::filesystem::path> plugin_folders;
  LogSettings log;
  std::filesystem::path control;  // the control socket's path; empty: the default one
  bool watch = false;             // reload when the config or a plugin's file changes
  std::string user, group;  // those of the top level, which listeners have unless they say others
  std::vector<ListenerSettings> listeners;
};

}  // namespace berth
