// `tls:` of a listener or of `defaults:`, as plain values. The files that it names are not opened
// here (check_tls.hpp does that).
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/source.hpp"
#include "config/yaml_tree.hpp"
#include "net/tls_settings.hpp"

namespace berth {

// On top of what `settings` say already, key by key. Relative paths are taken from `folder`. False
// if what is set in the end is not known, since something of it is wrong.
[[nodiscard]] bool read_tls(const YamlNode& node, const std::filesystem::path& folder,
                            std::optional<TlsSettings>& settings, Diagnostics& problems);

// What is wrong with all of it together, with the remedy; "" if nothing is.
[[nodiscard]] std::string objection_to_tls(const TlsSettings& settings);

}  // namespace berth
