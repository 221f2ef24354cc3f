// The bytes of a config file, read with a limit, and whether they are text. Nothing is known of
// YAML here.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/source.hpp"

namespace berth {

// Far above any config written by hand; a file beyond it was named by mistake.
constexpr std::size_t kLongestConfig = std::size_t{1} << 20;

// The file's bytes, or nothing and a problem told.
[[nodiscard]] std::optional<std::string> read_config_text(const std::filesystem::path& file,
                                                          Diagnostics& problems);

// Tells where `text` first stops being UTF-8 text; true if it never does.
[[nodiscard]] bool check_is_text(std::string_view text, Diagnostics& problems);

}  // namespace berth
