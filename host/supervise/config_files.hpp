// The texts of the files that a config names beside itself: certificates and keys. They are read
// once, by who checks the config, and what was checked is what is served, also by a worker that is
// started again a month later. From one process to another they pass in a memfd, and never with
// texts that somebody might log.
#pragma once

#include <filesystem>
#include <map>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace berth {

using ConfigFiles = std::map<std::filesystem::path, Secret>;  // by the paths that the config says

// An empty memfd, close-on-exec.
[[nodiscard]] Result<Fd> make_place_for_files();
// Writes them there, from the begin.
[[nodiscard]] Result<void> write_files(const ConfigFiles& files, int memory);
// The error is that of a place where something else lies. Throws std::bad_alloc.
[[nodiscard]] Result<ConfigFiles> read_files(int memory);

}  // namespace berth
