// The limits of a listener that are more than a number or a duration. Each function gives the
// value, or tells what is wrong with it and gives nothing; `off` is the value that limits nothing,
// by which a listener undoes what `defaults:` says.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/source.hpp"
#include "config/map_reader.hpp"
#include "config/yaml_tree.hpp"
#include "serve/listener_settings.hpp"

namespace berth {

// Sets those that are given. False if what is set in the end is not known, because a value is wrong
// that others are to be compared with.
[[nodiscard]] bool read_limits(const MapReader& keys, ListenerSettings& settings,
                               Diagnostics& problems);

// The most that `max_connections` and what is counted like it can be.
constexpr std::uint32_t kMostConnections = 1'000'000;

// `10`, or {connections: 10, ipv4_prefix: 24, ipv6_prefix: 56}.
[[nodiscard]] std::optional<SourceLimit> read_source_limit(const YamlNode& node,
                                                           Diagnostics& problems);

// `100/s`, `600/m`, `50/h`, or {connections: 100/s, burst: 20}. Without a burst of its own each of
// `workers` has one of 1.
[[nodiscard]] std::optional<RateLimit> read_rate(const YamlNode& node, Diagnostics& problems);

// One network or a list of them; `key` is `allow` or `deny`.
[[nodiscard]] std::optional<std::vector<Network>> read_networks(const YamlNode& node,
                                                                std::string_view key,
                                                                Diagnostics& problems);

// {memory: 256MiB, cpu_time: 10s, descriptors: 100}, each of which may be left out.
[[nodiscard]] std::optional<ResourceLimits> read_resources(const YamlNode& node,
                                                           Diagnostics& problems);

}  // namespace berth
