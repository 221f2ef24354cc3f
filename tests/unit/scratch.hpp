// A folder for the files of one test.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace berth::testing {

struct Scratch {
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "berth-unit-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path folder(const std::string& name) const {
    std::filesystem::create_directory(path / name);
    return path / name;
  }
  std::filesystem::path file(const std::string& name, const std::string& content = "") const {
    std::ofstream(path / name, std::ios::binary) << content;
    return path / name;
  }

  std::filesystem::path path;
};

inline std::string content_of(const std::filesystem::path& file) {
  std::ostringstream all;
  all << std::ifstream(file, std::ios::binary).rdbuf();
  return all.str();
}

}  // namespace berth::testing
