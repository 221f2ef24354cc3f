#include "tested_build.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>

namespace e2e {

namespace {

TestedBuild read_from(const std::string& folder) {
  std::ifstream file(folder + "/tested_build");
  TestedBuild build;
  std::string sanitizers;
  std::getline(file, build.program);
  std::getline(file, build.plugins);
  std::getline(file, build.handlers);
  if (!std::getline(file, sanitizers)) {
    std::cerr << folder << " is no build of berth: there is no file tested_build in it\n";
    std::exit(EXIT_FAILURE);
  }
  build.sanitized = !sanitizers.empty();
  return build;
}

}  // namespace

const TestedBuild& tested_build() {
  static const TestedBuild build = [] {
    const char* const other = std::getenv("BERTH_TESTED_BUILD");
    return read_from(other != nullptr ? other : BERTH_BUILD_FOLDER);
  }();
  return build;
}

}  // namespace e2e
