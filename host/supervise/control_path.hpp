// Where the control socket of a host lies whose config names none.
#pragma once

#include <filesystem>

#include "base/result.hpp"

namespace berth {

// A path for this config file alone, in $RUNTIME_DIRECTORY (of systemd), /run/berth (root),
// $XDG_RUNTIME_DIR/berth or /tmp/berth-UID: the same for the host and for whoever asks it. Nothing
// is made.
[[nodiscard]] std::filesystem::path default_control_path(const std::filesystem::path& config);

// Makes the folder of that path where it is missing, for this user alone. The error says if it is
// somebody else's, or open to others.
[[nodiscard]] Result<void> make_control_folder(const std::filesystem::path& path);

}  // namespace berth
