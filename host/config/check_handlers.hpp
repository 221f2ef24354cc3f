// The part of checking a config that needs its plugins: whether each handler is there, can be
// loaded, and takes its options. Plugins are loaded in children that are thrown away, with the
// privileges that the listener's workers will have, so that the caller never runs code of theirs.
#pragma once

#include <filesystem>
#include <vector>

#include "base/source.hpp"
#include "supervise/host_settings.hpp"

namespace berth {

// The files of the listeners' handlers, in the listeners' order; of use only if `problems` is empty
// afterwards. After check_accounts(): where a listener's privileges are not known its plugin is
// looked for, but not loaded. `warnings` are of what is served all the same.
[[nodiscard]] std::vector<std::filesystem::path> check_handlers(const HostSettings& settings,
                                                                Diagnostics& problems,
                                                                Diagnostics& warnings);

}  // namespace berth
