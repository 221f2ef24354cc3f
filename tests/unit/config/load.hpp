// What the tests of the config share: a text read as a file that is not there, and its mistakes.
#pragma once

#include <string>

#include "config/config.hpp"

namespace berth::testing {

// Whose folder does not exist, so that a relative path never names anything.
inline const std::filesystem::path kNoFile = "/nonexistent-berth/conf/berth.yaml";

struct Loaded {
  HostSettings settings;
  std::string mistakes;  // "LINE:COLUMN: MESSAGE", a line each
};

inline Loaded load(const std::string& text) {
  Diagnostics problems("f");
  Loaded loaded;
  loaded.settings = config_from_text(text, kNoFile, problems);
  for (const Diagnostic& problem : problems.sorted()) {
    loaded.mistakes += std::to_string(problem.where.line) + ':' +
                       std::to_string(problem.where.column) + ": " + problem.message + '\n';
  }
  return loaded;
}

}  // namespace berth::testing
