#include "plugin/find.hpp"

#include <algorithm>
#include <set>
#include <system_error>

#include "base/source.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> shared_objects(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;  // a folder that cannot be read has no handlers
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".so" && !entry.is_directory(ignored)) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Result<fs::path> find_handler(const std::string& name, const std::vector<fs::path>& folders) {
  std::vector<std::string> searched;
  for (const auto& folder : folders) {
    std::error_code ignored;
    const fs::path file = folder / (name + ".so");
    if (fs::exists(file, ignored)) return file;
    searched.push_back(folder.string());
  }
  std::vector<std::string> names;
  for (const auto& file : all_handlers(folders)) names.push_back(file.stem().string());
  std::string where;
  for (const auto& folder : searched) where += (where.empty() ? "" : " and ") + folder;
  return Error{"no handler '" + name + "': " + name + ".so is not in " + where +
               did_you_mean(name, names)};
}

std::vector<fs::path> all_handlers(const std::vector<fs::path>& folders) {
  std::vector<fs::path> files;
  std::set<fs::path> names;
  for (const auto& folder : folders) {
    for (const auto& file : shared_objects(folder)) {
      if (names.insert(file.filename()).second) files.push_back(file);
    }
  }
  return files;
}

}  // namespace berth
