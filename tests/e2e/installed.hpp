// Files of a test's own that a host runs, which can be replaced while it does.
#pragma once

#include <filesystem>
#include <string>

#include "temp_folder.hpp"
#include "tested_build.hpp"

namespace e2e {

// A file that is only ever replaced by another, in one step, as a package manager does it.
class InstalledFile {
 public:
  explicit InstalledFile(std::string name) : name_(std::move(name)) {}

  [[nodiscard]] std::filesystem::path folder() const { return folder_.path(); }
  [[nodiscard]] std::string path() const { return folder_ / name_; }
  void install(const std::filesystem::path& from) const {
    std::filesystem::copy_file(from, fresh());
    std::filesystem::rename(fresh(), path());
  }
  // A program in words.
  void install_text(const std::string& text) const {
    write_file(fresh(), text);
    std::filesystem::permissions(fresh(), std::filesystem::perms::owner_all);
    std::filesystem::rename(fresh(), path());
  }

 private:
  [[nodiscard]] std::filesystem::path fresh() const { return folder_ / (name_ + ".new"); }

  std::string name_;
  TempFolder folder_;
};

// A berth to be started instead of the one that was built.
class InstalledProgram : public InstalledFile {
 public:
  InstalledProgram() : InstalledFile("berth") { install_again(); }
  void install_again() const { install(tested_build().program); }
};

// The handler `mine`, which is echo; a config finds it by search_also(folder()).
class InstalledHandler : public InstalledFile {
 public:
  InstalledHandler() : InstalledFile("mine.so") { install_again(); }
  void install_again() const { install(tested_build().plugins + "/echo.so"); }
};

}  // namespace e2e
