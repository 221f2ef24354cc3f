// Whether somebody else could put a file of their own in a plugin's place. A worker runs what it
// finds there, so only root and the host's user may be able to write to it, or to any folder on the
// way to it: the rule of OpenSSH's safe_path() (misc.c), but for two things. A folder above may be
// open to all if its sticky bit is set, as /tmp: what belongs to somebody trusted can be neither
// renamed nor removed there. And what the path shares with that of the host's own program is only
// warned about, since whoever could write there could replace the host as well; so a source tree
// that lies in somebody's folder can still be tried out.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

namespace berth {

struct PathHazard {
  std::string message;  // names the file or folder, its owner or mode, and the remedy
  bool of_program_too;  // on the way to the host's own program as well
};

// The worst that there is on the way to `file`, if anything; links are followed, and the folders
// that hold them are looked at too. `user` is the host's, trusted beside root. `program` is the
// file that the host was started from. What cannot be looked at is no hazard: loading it will fail.
[[nodiscard]] std::optional<PathHazard> hazard_of(const std::filesystem::path& file, uid_t user,
                                                  const std::filesystem::path& program);

// The same for this process: its user, its program.
[[nodiscard]] std::optional<PathHazard> hazard_of(const std::filesystem::path& file);

}  // namespace berth
