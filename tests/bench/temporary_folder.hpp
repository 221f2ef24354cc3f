// A folder for the configurations of the servers under test; it goes with all that is in it.
#pragma once

#include <filesystem>
#include <string>

namespace berth::bench {

class TemporaryFolder {
 public:
  TemporaryFolder();  // throws Failure
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  enum class Readers { all, owner };
  // Writes a file and returns its path; throws Failure.
  [[nodiscard]] std::string write(const std::string& name, const std::string& content,
                                  Readers readers = Readers::all) const;

 private:
  std::filesystem::path path_;
};

}  // namespace berth::bench
