// The whole config as plain values.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "serve/listener_settings.hpp"

namespace berth {

struct HostSettings {
  std::filesystem::path file;                         // the config these came from
  std::vector<std::filesystem::path> plugin_folders;  // searched in this order
  LogSettings log;
  std::vector<ListenerSettings> listeners;
};

}  // namespace berth
