// A config as the host serves it: checked, with all that was found out on the way. Each reload that
// changes something makes another.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "supervise/config_files.hpp"
#include "supervise/host_settings.hpp"

namespace berth {

struct CheckedConfig {
  std::string text;   // of the file
  ConfigFiles files;  // those that it names
  HostSettings settings;
  std::vector<std::filesystem::path> handlers;  // the files, in the listeners' order
  std::vector<std::string> warnings;            // FILE:LINE:COLUMN: what might go wrong
};

struct Generation {
  unsigned number;  // from 1
  CheckedConfig config;
};
// Kept by each listener that was made from it.
using SharedGeneration = std::shared_ptr<const Generation>;

// How a config is read. What reads it lies above this folder (config/), so it is handed in.
struct ConfigReader {
  // Reads the file and checks it to the end, plugins included; the error tells every mistake. Runs
  // code of plugins in children of its own.
  std::function<Result<CheckedConfig>(const std::filesystem::path& file)> check;
  // The settings in a text that was checked before together with those files, without another look
  // at them or at plugins. The error is that of a text which some other version of berth has
  // checked.
  std::function<Result<HostSettings>(const std::string& text, const std::filesystem::path& file,
                                     const ConfigFiles& files)>
      read;
};

}  // namespace berth
