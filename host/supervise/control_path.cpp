#include "supervise/control_path.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/format.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

// Of the user's own. That of a service under systemd with RuntimeDirectory= (man 5 systemd.exec) is
// where root looks, too, if it is /run/berth.
fs::path folder() {
  const char* const service = std::getenv("RUNTIME_DIRECTORY");
  if (service != nullptr && *service == '/') {
    const std::string_view all(service);
    return all.substr(0, all.find(':'));
  }
  if (::geteuid() == 0) return "/run/berth";
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime == '/') return fs::path(runtime) / "berth";
  return "/tmp/berth-" + std::to_string(::geteuid());
}

// FNV-1a, 64 bits: two configs of one name differ in it.
std::uint64_t hash(const std::string& text) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char byte : text) {
    value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  return value;
}

}  // namespace

fs::path default_control_path(const fs::path& config) {
  // Symbolic links are not followed: one that is part of the name may lead elsewhere by now.
  const fs::path whole = fs::absolute(config).lexically_normal();
  // A Unix socket's path may have 107 bytes (man 7 unix).
  const std::string name = whole.stem().string().substr(0, 32);
  return folder() / formatted("{}-{:016x}.sock", name, hash(whole.string()));
}

Result<void> make_control_folder(const fs::path& path) {
  const fs::path there = path.parent_path();
  if (::mkdir(there.c_str(), 0700) != 0 && errno != EEXIST) {
    return system_error("cannot make the folder of the control socket, " + there.string(), errno);
  }
  struct stat status {};
  if (::lstat(there.c_str(), &status) != 0) {
    return system_error("cannot look at " + there.string(), errno);
  }
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 022) != 0) {
    return Error{there.string() + " must be a folder of this user's that nobody else can write to"};
  }
  return {};
}

}  // namespace berth
