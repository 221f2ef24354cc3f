#include "plugin/safe_path.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <system_error>
#include <vector>

namespace berth {

namespace fs = std::filesystem;

namespace {

constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

// `path` itself and all folders above it, up from there.
std::vector<fs::path> parts_of(const fs::path& path) {
  std::vector<fs::path> parts = {path};
  while (parts.back().has_relative_path()) parts.push_back(parts.back().parent_path());
  return parts;
}

// As it is written, then as it is with all links followed.
std::vector<fs::path> ways_to(const fs::path& file) {
  std::error_code error;
  std::vector<fs::path> parts = parts_of(fs::absolute(file).lexically_normal());
  const fs::path resolved = fs::canonical(file, error);
  if (error) return parts;
  for (fs::path& part : parts_of(resolved)) {
    if (std::find(parts.begin(), parts.end(), part) == parts.end()) {
      parts.push_back(std::move(part));
    }
  }
  return parts;
}

std::string octal(mode_t mode) {
  std::array<char, 8> text{};
  (void)std::snprintf(text.data(), text.size(), "%04o", mode & 07777u);
  return text.data();
}

std::string foreign_owner(const fs::path& path, uid_t owner, uid_t user) {
  const std::string trusted = user == 0 ? "root" : "root or user " + std::to_string(user);
  return path.string() + " belongs to user " + std::to_string(owner) + " and not to " + trusted +
         ", so that another could put a plugin there (chown " + std::to_string(user) + " " +
         path.string() + ")";
}

std::string open_to_others(const fs::path& path, mode_t mode) {
  const std::string who = (mode & S_IWOTH) != 0 ? "everybody" : "its group";
  return path.string() + " can be written to by " + who + " (mode " + octal(mode) +
         "), so that another could put a plugin there (chmod go-w " + path.string() + ")";
}

// What is wrong with one part of the way; `holds_file`: it is the folder where the plugin is looked
// for, so that who may add a name to it says what is loaded.
std::optional<std::string> objection_to(const fs::path& part, bool holds_file, uid_t user) {
  struct stat itself {};
  struct stat target {};
  if (::lstat(part.c_str(), &itself) != 0 || ::stat(part.c_str(), &target) != 0) {
    return std::nullopt;
  }
  for (const struct stat* status : {&itself, &target}) {
    if (status->st_uid != 0 && status->st_uid != user) {
      return foreign_owner(part, status->st_uid, user);
    }
  }
  const bool sticky_folder =
      S_ISDIR(target.st_mode) && (target.st_mode & S_ISVTX) != 0 && !holds_file;
  if ((target.st_mode & kWritableByOthers) == 0 || sticky_folder) return std::nullopt;
  return open_to_others(part, target.st_mode);
}

}  // namespace

std::optional<PathHazard> hazard_of(const fs::path& file, uid_t user, const fs::path& program) {
  std::optional<PathHazard> shared;
  const std::vector<fs::path> host_parts = ways_to(program);
  std::error_code ignored;
  const fs::path folder = fs::absolute(file).lexically_normal().parent_path();
  const fs::path resolved_folder = fs::canonical(file, ignored).parent_path();
  for (const fs::path& part : ways_to(file)) {
    auto objection = objection_to(part, part == folder || part == resolved_folder, user);
    if (!objection) continue;
    const bool of_program =
        std::find(host_parts.begin(), host_parts.end(), part) != host_parts.end();
    if (!of_program) return PathHazard{std::move(*objection), false};
    if (!shared) shared = PathHazard{std::move(*objection), true};
  }
  return shared;
}

std::optional<PathHazard> hazard_of(const fs::path& file) {
  std::error_code ignored;
  return hazard_of(file, ::geteuid(), fs::read_symlink("/proc/self/exe", ignored));
}

}  // namespace berth
