#include "cli/program_path.hpp"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace berth {

namespace fs = std::filesystem;

namespace {

std::string first_word() {
  std::ifstream words("/proc/self/cmdline");
  std::string word;
  std::getline(words, word, '\0');
  return word;
}

}  // namespace

fs::path program_path() {
  const std::string word = first_word();
  if (word.find('/') != std::string::npos) return fs::absolute(word).lexically_normal();
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    fs::path candidate = fs::absolute(fs::path(folder) / word);
    if (!word.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error);
}

}  // namespace berth
