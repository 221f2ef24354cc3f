#include "config/limits_reader.hpp"

#include <algorithm>
#include <charconv>
#include <string>

#include "base/ascii.hpp"
#include "config/value_reader.hpp"

namespace berth {
namespace {

// Under these a process could hardly start to work.
constexpr std::uint64_t kLeastMemory = std::uint64_t{16} << 20;
constexpr std::uint32_t kLeastDescriptors = 32;
constexpr std::uint32_t kMostDescriptors = 1u << 20;

bool is_off(const YamlNode& node) {
  return node.kind == YamlNode::Kind::scalar && node.scalar == "off";
}

std::optional<std::uint32_t> connections_in(std::string_view digits) {
  std::uint32_t count = 0;
  const bool padded = digits.size() > 1 && digits[0] == '0';
  if (!is_digits(digits) || padded) return std::nullopt;
  const auto error = std::from_chars(digits.data(), digits.data() + digits.size(), count).ec;
  if (error != std::errc{} || count < 1 || count > kMostConnections) return std::nullopt;
  return count;
}

std::optional<Duration> time_of_unit(std::string_view unit) {
  if (unit == "s") return std::chrono::seconds(1);
  if (unit == "m") return std::chrono::minutes(1);
  if (unit == "h") return std::chrono::hours(1);
  return std::nullopt;
}

// What is wrong with a rate, and what was probably meant.
std::string objection_to_rate(std::string_view text) {
  if (is_digits(text)) return in_quotes(text) + " needs a time: " + std::string(text) + "/s?";
  const auto slash = text.find('/');
  const std::string_view count = text.substr(0, slash);
  if (slash == std::string_view::npos || !is_digits(count)) {
    return in_quotes(text) + " is not a rate; write connections in a time, like 100/s or 600/m";
  }
  if (!connections_in(count)) {
    return "the number must be from 1 to " + std::to_string(kMostConnections) + ", not " +
           in_quotes(count);
  }
  const std::string unit(text.substr(slash + 1));
  const char meant = unit.empty() || unit == "ms" ? '?' : static_cast<char>(unit[0] | 0x20);
  const bool known = meant == 's' || meant == 'm' || meant == 'h';
  return in_quotes(text) + " has the unknown time " + in_quotes(unit) +
         (known ? ": write " + std::string(count) + "/" + meant : "; the times are s, m and h");
}

std::optional<RateLimit> read_plain_rate(const YamlNode& node, std::string_view key,
                                         Diagnostics& problems) {
  const auto text = read_text(node, key, "connections in a time, like 100/s", problems);
  if (!text) return std::nullopt;
  const std::string_view whole = *text;
  const auto slash = std::min(whole.find('/'), whole.size());
  const auto count = connections_in(whole.substr(0, slash));
  const auto time = time_of_unit(whole.substr(std::min(slash + 1, whole.size())));
  if (count && time) return RateLimit{.connections = *count, .in = *time};
  problems.add(node.where, "'" + std::string(key) + "': " + objection_to_rate(whole));
  return std::nullopt;
}

// Sets `number` if the key is there and good; false if it is there and wrong.
[[nodiscard]] bool read_optional(const MapReader& keys, const char* key, std::uint32_t least,
                                 std::uint32_t most, std::uint32_t& number, Diagnostics& problems) {
  const YamlNode* const node = keys.find(key);
  if (node == nullptr) return !keys.attempted(key);
  const auto given = read_number(*node, key, least, most, problems);
  if (given) number = *given;
  return given.has_value();
}

void complain_of_missing(const YamlNode& node, const char* owner, const char* key,
                         Diagnostics& problems) {
  problems.add(node.where, "'" + std::string(owner) + "' has no '" + key + ":'");
}

}  // namespace

bool read_limits(const MapReader& keys, ListenerSettings& settings, Diagnostics& problems) {
  bool known = true;
  if (const YamlNode* node = keys.find("max_connections_per_source")) {
    if (const auto limit = read_source_limit(*node, problems)) {
      settings.max_connections_per_source = *limit;
    }
  }
  if (const YamlNode* node = keys.find("rate")) {
    settings.where.rate = node->where;
    const auto rate = read_rate(*node, problems);
    if (rate) settings.rate = *rate;
    known = rate.has_value();
  }
  if (const YamlNode* node = keys.find("allow")) {
    if (auto networks = read_networks(*node, "allow", problems)) settings.allow = *networks;
  }
  if (const YamlNode* node = keys.find("deny")) {
    if (auto networks = read_networks(*node, "deny", problems)) settings.deny = *networks;
  }
  if (const YamlNode* node = keys.find("proxy_from")) {
    if (auto networks = read_networks(*node, "proxy_from", problems)) {
      settings.proxy_from = *networks;
    }
  }
  if (const YamlNode* node = keys.find("resources")) {
    if (const auto limits = read_resources(*node, problems)) settings.resources = *limits;
  }
  return known;
}

std::optional<SourceLimit> read_source_limit(const YamlNode& node, Diagnostics& problems) {
  constexpr const char* kKey = "max_connections_per_source";
  SourceLimit limit;
  if (is_off(node)) return limit;
  if (node.kind != YamlNode::Kind::map) {
    const auto connections = read_number(node, kKey, 1, kMostConnections, problems);
    if (!connections) return std::nullopt;
    limit.connections = *connections;
    return limit;
  }
  const MapReader keys(
      node, {"'max_connections_per_source'", {"connections", "ipv4_prefix", "ipv6_prefix"}},
      problems);
  if (!keys.attempted("connections")) complain_of_missing(node, kKey, "connections", problems);
  bool good = read_optional(keys, "connections", 1, kMostConnections, limit.connections, problems);
  good = read_optional(keys, "ipv4_prefix", 1, 32, limit.ipv4_prefix, problems) && good;
  good = read_optional(keys, "ipv6_prefix", 1, 128, limit.ipv6_prefix, problems) && good;
  if (!good || keys.is_unclear() || limit.connections == 0) return std::nullopt;
  return limit;
}

std::optional<RateLimit> read_rate(const YamlNode& node, Diagnostics& problems) {
  if (is_off(node)) return RateLimit();
  if (node.kind != YamlNode::Kind::map) return read_plain_rate(node, "rate", problems);
  const MapReader keys(node, {"'rate'", {"connections", "burst"}}, problems);
  const YamlNode* const connections = keys.find("connections");
  if (!keys.attempted("connections")) complain_of_missing(node, "rate", "connections", problems);
  auto rate = connections == nullptr ? std::nullopt
                                     : read_plain_rate(*connections, "connections", problems);
  std::uint32_t burst = 1;
  const bool good = read_optional(keys, "burst", 1, kMostConnections, burst, problems);
  if (!rate || !good || keys.is_unclear()) return std::nullopt;
  rate->burst = burst;
  return rate;
}

std::optional<std::vector<Network>> read_networks(const YamlNode& node, std::string_view key,
                                                  Diagnostics& problems) {
  constexpr std::string_view kWhat = "a network like 10.0.0.0/8 or fd00::/8";
  std::vector<Network> networks;
  if (is_off(node)) return networks;
  const auto items = read_one_or_more(node, key, kWhat, problems);
  bool good = !items.empty();
  for (const YamlNode* item : items) {
    const auto text = read_text(*item, key, kWhat, problems);
    good = good && text;
    if (!text) continue;
    auto network = parse_network(*text);
    if (network) {
      networks.push_back(*network);
    } else {
      problems.add(item->where, network.error().message);
      good = false;
    }
  }
  if (!good) return std::nullopt;
  return networks;
}

std::optional<ResourceLimits> read_resources(const YamlNode& node, Diagnostics& problems) {
  ResourceLimits limits;
  if (is_off(node)) return limits;
  const MapReader keys(node, {"'resources'", {"memory", "cpu_time", "descriptors"}}, problems);
  if (const YamlNode* memory = keys.find("memory")) {
    limits.memory = read_size(*memory, "memory", kLeastMemory, problems).value_or(0);
  }
  if (const YamlNode* time = keys.find("cpu_time")) {
    const DurationRule rule = {.least = std::chrono::seconds(1)};
    const auto given = read_duration(*time, "cpu_time", rule, problems);
    limits.cpu_time = std::chrono::floor<std::chrono::seconds>(given.value_or(Duration::zero()));
    if (given && limits.cpu_time != *given) {
      problems.add(time->where,
                   "'cpu_time' is counted in whole seconds, not " + in_quotes(time->scalar));
    }
  }
  if (!read_optional(keys, "descriptors", kLeastDescriptors, kMostDescriptors, limits.descriptors,
                     problems) ||
      !keys.is_map()) {
    return std::nullopt;
  }
  return limits;
}

}  // namespace berth
