#include "config/listener_reader.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "base/format.hpp"
#include "config/limits_reader.hpp"
#include "config/names.hpp"
#include "config/tls_reader.hpp"
#include "config/value_reader.hpp"
#include "model/model.hpp"
#include "net/address.hpp"
#include "net/address_text.hpp"

namespace berth {
namespace {

constexpr std::uint32_t kMostWorkers = 1024;
constexpr std::uint32_t kMostThreads = 10'000;
constexpr std::uint32_t kLongestBacklog = 65'535;

const KnownKeys& keys_of_listener() {
  static const KnownKeys known = {
      "a listener",
      listener_keys(),
      {{"plugins", "'plugins' stands at the top level, for all listeners"},
       {"log", "'log' stands at the top level, for all listeners"},
       {"defaults", "'defaults' stands at the top level, for all listeners"},
       {"listeners", "'listeners' stands at the top level; a listener has none within"}}};
  return known;
}

const KnownKeys& keys_of_defaults() {
  static const KnownKeys known = {
      "'defaults'",
      {listener_keys().begin() + 2, listener_keys().end()},
      {{"name", "'name' is a listener's own; it cannot stand under 'defaults'"},
       {"listen", "'listen' is a listener's own; it cannot stand under 'defaults'"}}};
  return known;
}

std::vector<OptionSetting> options_of(const YamlNode& map) {
  std::vector<OptionSetting> options;
  for (const auto& [key, value] : map.fields) {
    if (is_plain_key(key)) options.push_back({key.scalar, key.where, value});
  }
  return options;
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const ModelRow* row : model_table()) names.emplace_back(row->name);
  return names;
}

// Two addresses that differ only in what stands behind the '?' are one.
std::string without_settings(Address address) {
  address.file = {};
  address.multicast = {};
  return address.url();
}

// What only one socket can have: a path, whatever it is for; else the address, whatever is spoken
// there.
std::string place_of(Address address) {
  if (is_unix(address.scheme) && !address.host.starts_with('@')) return address.host;
  if (address.scheme == Scheme::tls) address.scheme = Scheme::tcp;
  return without_settings(std::move(address));
}

// Whether the one takes its port of all addresses, that of the other among them. Of names nothing
// is known here.
bool covers(const Address& wide, const Address& other) {
  if (is_unix(wide.scheme) || is_unix(other.scheme)) return false;
  return is_unspecified(wide.host) && wide.port == other.port && wide.host != other.host &&
         is_datagram(wide.scheme) == is_datagram(other.scheme) &&
         family_of(wide.host) == family_of(other.host);
}

}  // namespace

const std::vector<std::string>& listener_keys() {
  static const std::vector<std::string> keys = {"name",
                                                "listen",
                                                "tls",
                                                "model",
                                                "handler",
                                                "options",
                                                "workers",
                                                "threads",
                                                "spare",
                                                "connections_per_process",
                                                "backlog",
                                                "max_connections",
                                                "max_connections_per_source",
                                                "rate",
                                                "allow",
                                                "deny",
                                                "proxy_from",
                                                "idle_timeout",
                                                "write_timeout",
                                                "session_timeout",
                                                "handshake_timeout",
                                                "drain_timeout",
                                                "heartbeat_timeout",
                                                "user",
                                                "group",
                                                "resources"};
  return keys;
}

void ListenerReader::read_drain_timeout(const YamlNode& node) {
  if (const auto timeout = read_duration(node, "drain_timeout", {}, problems_)) {
    defaults_.settings.drain_timeout = *timeout;
  }
}

void ListenerReader::read_account(const MapReader& top) { read_account(top, defaults_.settings); }

void ListenerReader::read_defaults(const YamlNode& node) {
  const MapReader keys(node, keys_of_defaults(), problems_);
  read_shared_keys(keys, defaults_);
  for (const char* key : {"model", "handler", "tls"}) {
    if (keys.attempted(key)) assume_given(key);
  }
  if (keys.find("options") != nullptr && !keys.attempted("handler")) {
    problems_.add(keys.find("options")->where,
                  "'options' are those of one handler; name it with 'handler:' beside them");
  }
}

void ListenerReader::read(const YamlNode& entry) {
  const MapReader keys(entry, keys_of_listener(), problems_);
  if (!keys.is_map()) return;
  Draft draft = defaults_;
  draft.settings.options.clear();
  if (const YamlNode* node = keys.find("name")) read_name(*node, draft.settings);
  if (const YamlNode* node = keys.find("listen")) read_listen(*node, draft);
  read_shared_keys(keys, draft);
  inherit_options(keys.attempted("options"), draft.settings);
  complain_of_missing(entry, keys, draft.settings);
  complain_of_foreign(keys, draft.settings);
  check_tls(keys, draft);
  if (!draft.doubtful) check_together(entry, draft.settings);
  listeners_.push_back(std::move(draft.settings));
}

std::vector<ListenerSettings> ListenerReader::finish() {
  complaints_.tell(problems_);
  return std::move(listeners_);
}

void ListenerReader::read_shared_keys(const MapReader& keys, Draft& draft) {
  ListenerSettings& settings = draft.settings;
  if (const YamlNode* node = keys.find("model")) read_model(*node, settings);
  if (const YamlNode* node = keys.find("handler")) read_handler(*node, settings);
  if (const YamlNode* node = keys.find("options")) {
    settings.where.options = node->where;
    if (node->kind == YamlNode::Kind::map) {
      settings.options = options_of(*node);
    } else {
      problems_.add(node->where, "'options' must be a map of 'option: value' lines, not " +
                                     std::string(kind_name(*node)));
    }
  }
  read_numbers(keys, draft);
  read_tls(keys, draft);
  if (!read_limits(keys, settings, problems_)) draft.doubtful = true;
  read_timeouts(keys, settings);
  read_account(keys, settings);
  if (keys.is_unclear()) draft.doubtful = true;
}

void ListenerReader::read_numbers(const MapReader& keys, Draft& draft) {
  ListenerSettings& settings = draft.settings;
  const auto read = [&](const char* key, std::uint32_t most, auto& number, Position* where) {
    const YamlNode* node = keys.find(key);
    if (node == nullptr) {
      if (keys.attempted(key)) draft.doubtful = true;
      return;
    }
    if (where != nullptr) *where = node->where;
    if (const auto given = read_number(*node, key, 1, most, problems_)) {
      number = static_cast<std::remove_reference_t<decltype(number)>>(*given);
    } else {
      draft.doubtful = true;
    }
  };
  read("workers", kMostWorkers, settings.workers, &settings.where.workers);
  read("threads", kMostThreads, settings.threads, nullptr);
  read("spare", kMostConnections, settings.spare, nullptr);
  read("connections_per_process", kMostConnections, settings.connections_per_process, nullptr);
  read("backlog", kLongestBacklog, settings.backlog, nullptr);
  read("max_connections", kMostConnections, settings.max_connections,
       &settings.where.max_connections);
}

void ListenerReader::read_tls(const MapReader& keys, Draft& draft) {
  const YamlNode* const node = keys.find("tls");
  if (node == nullptr) {
    if (keys.attempted("tls")) draft.doubtful = true;
  } else if (!berth::read_tls(*node, folder_, draft.settings.tls, problems_)) {
    draft.doubtful = true;
  }
}

void ListenerReader::read_timeouts(const MapReader& keys, ListenerSettings& settings) {
  const auto read = [&](const char* key, DurationRule rule, Duration& duration) {
    const YamlNode* node = keys.find(key);
    if (node == nullptr) return;
    if (const auto given = read_duration(*node, key, rule, problems_)) duration = *given;
  };
  read("idle_timeout", {.least = Duration(1), .may_be_off = true}, settings.idle_timeout);
  read("write_timeout", {.least = Duration(1), .may_be_off = true}, settings.write_timeout);
  read("session_timeout", {.least = Duration(1), .may_be_off = true}, settings.session_timeout);
  read("handshake_timeout", {.least = Duration(1)}, settings.handshake_timeout);
  read("drain_timeout", {}, settings.drain_timeout);
  read("heartbeat_timeout", {.least = std::chrono::seconds(1)}, settings.heartbeat_timeout);
}

// Who names a user means that user's group, and not the one that was said above for another.
void ListenerReader::read_account(const MapReader& keys, ListenerSettings& settings) {
  if (const YamlNode* node = keys.find("user")) {
    settings.user =
        read_text(*node, "user", "the name or number of a user", problems_).value_or("");
    settings.where.user = node->where;
    settings.group.clear();
    settings.where.group = {};
  }
  if (const YamlNode* node = keys.find("group")) {
    settings.group =
        read_text(*node, "group", "the name or number of a group", problems_).value_or("");
    settings.where.group = node->where;
  }
}

void ListenerReader::read_name(const YamlNode& node, ListenerSettings& settings) {
  const auto name = read_text(node, "name", "a name", problems_);
  if (!name) return;
  settings.where.name = node.where;
  if (const std::string objection = objection_to_listener_name(*name); !objection.empty()) {
    problems_.add(node.where, objection);
    return;
  }
  settings.name = *name;
  const auto [first, is_new] = names_.emplace(*name, node.where);
  if (!is_new) {
    problems_.add(node.where, "the name '" + *name + "' is that of the listener in line " +
                                  std::to_string(first->second.line) + " already");
  }
}

void ListenerReader::read_listen(const YamlNode& node, Draft& draft) {
  for (const YamlNode* item : read_one_or_more(
           node, "listen", "an address like tcp://0.0.0.0:50007 or unix:///run/echo.sock",
           problems_)) {
    read_address(*item, draft);
  }
  if (draft.settings.listen.empty()) draft.doubtful = true;
}

void ListenerReader::read_address(const YamlNode& node, Draft& draft) {
  const auto text = read_text(
      node, "listen", "an address like tcp://0.0.0.0:50007 or unix:///run/echo.sock", problems_);
  if (!text) {
    draft.doubtful = true;
    return;
  }
  Result<Address> address = parse_address(*text);
  if (!address) {
    problems_.add(node.where, address.error().message);
    draft.doubtful = true;
    return;
  }
  // Port 0 is another port each time.
  if (address->port != 0 || is_unix(address->scheme)) check_place(*address, node.where);
  draft.settings.listen.push_back(std::move(*address));
  draft.settings.where.listen.push_back(node.where);
}

void ListenerReader::check_place(const Address& address, Position where) {
  const std::string place = place_of(address);
  const std::string url = without_settings(address);
  const auto [first, is_new] = addresses_.emplace(place, Listened{address, where});
  if (!is_new) {
    problems_.add(
        where,
        url + " is listened on in line " + std::to_string(first->second.where.line) +
            (url == place || is_unix(address.scheme) ? " already" : " already, as " + place));
    return;
  }
  for (const auto& [other_place, other] : addresses_) {
    if (!covers(address, other.address) && !covers(other.address, address)) continue;
    problems_.add(where, formatted("{} cannot be had beside {} in line {}: one of the two is the "
                                   "port of every address",
                                   url, other_place, other.where.line));
    return;
  }
}

void ListenerReader::read_model(const YamlNode& node, ListenerSettings& settings) {
  settings.where.model = node.where;
  settings.model.clear();
  const auto text = read_text(node, "model", "the name of a model", problems_);
  if (!text) return;
  if (find_model(*text) != nullptr) {
    settings.model = *text;
    return;
  }
  std::string message = "unknown model " + in_quotes(*text) + did_you_mean(*text, model_names());
  problems_.add(node.where, message + " (the models are " + one_of(model_names()) + ")");
}

void ListenerReader::read_handler(const YamlNode& node, ListenerSettings& settings) {
  settings.where.handler = node.where;
  settings.handler.clear();
  const auto text = read_text(node, "handler", "the name of a handler", problems_);
  if (!text) return;
  if (const std::string objection = objection_to_handler_name(*text); !objection.empty()) {
    problems_.add(node.where, objection);
    return;
  }
  settings.handler = *text;
}

void ListenerReader::inherit_options(bool has_own, ListenerSettings& settings) const {
  const ListenerSettings& defaults = defaults_.settings;
  const bool same_handler = !settings.handler.empty() && settings.handler == defaults.handler;
  if (same_handler) {
    std::vector<OptionSetting> options;
    for (const OptionSetting& option : defaults.options) {
      const bool overridden =
          std::any_of(settings.options.begin(), settings.options.end(),
                      [&](const OptionSetting& own) { return own.name == option.name; });
      if (!overridden) options.push_back(option);
    }
    options.insert(options.end(), std::make_move_iterator(settings.options.begin()),
                   std::make_move_iterator(settings.options.end()));
    settings.options = std::move(options);
  }
  const bool has_inherited = same_handler && defaults.where.options.line > 0;
  if (!has_own && !has_inherited) settings.where.options = settings.where.handler;
}

}  // namespace berth
