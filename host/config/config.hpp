// The config file: YAML in, checked plain values out. Used by the supervisor at the start and at
// each reload, and by every subcommand that takes a CONFIG; opens nothing but the file itself.
#pragma once

#include <filesystem>
#include <string>

#include "base/source.hpp"
#include "supervise/host_settings.hpp"

namespace berth {

// Reads `file` and tells every mistake in it. The settings are to be used only if `problems` is
// empty afterwards. Throws nothing.
//
// Relative paths in the file are taken from the file's folder. Whether handlers exist and take
// their options is not asked here (plugin/ does), nor whether an address can be bound.
[[nodiscard]] HostSettings load_config(const std::filesystem::path& file, Diagnostics& problems);

// The same for a text that would stand in `file`, which need not be there.
[[nodiscard]] HostSettings config_from_text(const std::string& text,
                                            const std::filesystem::path& file,
                                            Diagnostics& problems);

}  // namespace berth
