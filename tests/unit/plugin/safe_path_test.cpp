#include "plugin/safe_path.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "scratch.hpp"

namespace berth {
namespace {

namespace fs = std::filesystem;
using testing::Scratch;

// scratch/plugins/a.so and scratch/bin/berth, with modes that are safe, and a user who owns them.
struct Installed {
  Installed() {
    plugins = scratch.folder("plugins");
    plugin = scratch.path / "plugins" / "a.so";
    program = scratch.folder("bin") / "berth";
    for (const fs::path& file : {plugin, program}) std::ofstream(file) << "x";
    for (const fs::path& path : {plugins, plugin, program, program.parent_path()}) set(path, 0755);
  }
  static void set(const fs::path& path, unsigned mode) { fs::permissions(path, fs::perms(mode)); }
  [[nodiscard]] std::string hazard(const fs::path& file) const {
    const auto found = hazard_of(file, ::geteuid(), program);
    if (!found) return "none";
    return (found->of_program_too ? "shared: " : "") + found->message;
  }

  Scratch scratch;
  fs::path plugins, plugin, program;
};

std::string open_to(const std::string& who, const fs::path& path, const std::string& mode) {
  return path.string() + " can be written to by " + who + " (mode " + mode +
         "), so that another could put a plugin there (chmod go-w " + path.string() + ")";
}

TEST_CASE("what only root and the host's user can write to is safe, below /tmp too") {
  const Installed it;
  CHECK(it.hazard(it.plugin) == "none");
  CHECK(it.hazard(it.scratch.path / "absent.so") == "none");  // loading it will fail
}

TEST_CASE("a file or folder that others can write to is named with its mode and the remedy") {
  const Installed it;
  it.set(it.plugin, 0775);
  CHECK(it.hazard(it.plugin) == open_to("its group", it.plugin, "0775"));
  it.set(it.plugin, 0757);
  CHECK(it.hazard(it.plugin) == open_to("everybody", it.plugin, "0757"));
  it.set(it.plugin, 0755);
  it.set(it.plugins, 0777);
  CHECK(it.hazard(it.plugin) == open_to("everybody", it.plugins, "0777"));
}

TEST_CASE("a folder that is open to all is safe above others with its sticky bit, and only there") {
  const Installed it;
  it.set(it.plugins, 01777);
  CHECK(it.hazard(it.plugin) == open_to("everybody", it.plugins, "1777"));
  const fs::path deeper = it.plugins / "deeper";
  fs::create_directory(deeper);
  it.set(deeper, 0755);
  fs::copy_file(it.plugin, deeper / "a.so");
  CHECK(it.hazard(deeper / "a.so") == "none");
  it.set(it.plugins, 0777);
  CHECK(it.hazard(deeper / "a.so") == open_to("everybody", it.plugins, "0777"));
}

TEST_CASE("what the host's own program lies in as well is told apart, and last") {
  const Installed it;
  it.set(it.scratch.path, 0770);
  CHECK(it.hazard(it.plugin) == "shared: " + open_to("its group", it.scratch.path, "0770"));
  it.set(it.plugins, 0777);
  CHECK(it.hazard(it.plugin) == open_to("everybody", it.plugins, "0777"));
  it.set(it.plugins, 0755);
  it.set(it.program.parent_path(), 0777);  // not on the plugin's way
  CHECK(it.hazard(it.plugin) == "shared: " + open_to("its group", it.scratch.path, "0770"));
}

TEST_CASE("links are followed, and the folders that hold them are looked at") {
  const Installed it;
  const fs::path links = it.scratch.folder("links");
  it.set(links, 0755);
  fs::create_symlink(it.plugin, links / "b.so");
  fs::create_directory_symlink(it.plugins, links / "current");
  CHECK(it.hazard(links / "b.so") == "none");
  CHECK(it.hazard(links / "current" / "a.so") == "none");
  it.set(it.plugin, 0777);
  CHECK(it.hazard(links / "b.so") != "none");
  it.set(it.plugin, 0755);
  it.set(it.plugins, 0777);
  CHECK(it.hazard(links / "b.so") == open_to("everybody", it.plugins, "0777"));
  it.set(it.plugins, 0755);
  it.set(links, 0777);
  CHECK(it.hazard(links / "b.so") == open_to("everybody", links, "0777"));
  CHECK(it.hazard(links / "current" / "a.so") == open_to("everybody", links, "0777"));
}

TEST_CASE("what belongs to somebody else is named with its owner and the remedy") {
  const Installed it;
  const uid_t other = ::geteuid() + 4711;
  // As root this gives the file away; as anybody else the host is taken to be somebody else's.
  const bool root = ::geteuid() == 0;
  if (root) REQUIRE(::chown(it.plugin.c_str(), other, static_cast<gid_t>(-1)) == 0);
  const auto found = hazard_of(it.plugin, root ? 0 : other, it.program);
  REQUIRE(found);
  const std::string owner = std::to_string(root ? other : ::geteuid());
  const std::string host = std::to_string(root ? 0 : other);
  CHECK(found->message == it.plugin.string() + " belongs to user " + owner + " and not to " +
                              (root ? "root" : "root or user " + host) +
                              ", so that another could put a plugin there (chown " + host + " " +
                              it.plugin.string() + ")");
}

}  // namespace
}  // namespace berth
