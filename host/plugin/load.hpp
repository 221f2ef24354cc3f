// From a file to the C table of a handler. Loading runs code of the plugin (its constructors), so
// it is done only in a worker, or in a child that is thrown away afterwards (plugin/try_in_child).
#pragma once

#include <berth/abi.h>

#include <filesystem>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace berth {

// Looks at the file without running anything of it: a regular file, a whole shared object, for this
// machine.
[[nodiscard]] Result<void> vet_file(const std::filesystem::path& file);

// Vets and opens it, for the process to load after it has dropped its privileges: what is open then
// needs no right to the folders it lies in. As root, a file that somebody else could replace
// (plugin/safe_path.hpp) is refused.
[[nodiscard]] Result<Fd> open_plugin(const std::filesystem::path& file);

// Loads what open_plugin() has opened (never to be unloaded) and compares magic and versions. The
// error names the file and the remedy.
[[nodiscard]] Result<const berth_plugin*> load_plugin(const std::filesystem::path& file,
                                                      const Fd& opened);

// Both at once, where no privileges are dropped between them.
[[nodiscard]] Result<const berth_plugin*> load_plugin(const std::filesystem::path& file);

// Compares what a plugin's entry function returned with what this host can serve.
[[nodiscard]] Result<void> check_abi(const berth_plugin* plugin);

}  // namespace berth
