#include "config/listener_reader.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "config/limits_reader.hpp"
#include "config/names.hpp"
#include "config/value_reader.hpp"
#include "model/model.hpp"
#include "net/address.hpp"

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

std::string label_of(const YamlNode& entry, const ListenerSettings& settings) {
  return settings.name.empty() ? "in line " + std::to_string(entry.where.line)
                               : "'" + settings.name + "'";
}

// Two addresses that differ only in what stands behind the '?' are one.
std::string without_settings(Address address) {
  address.file = {};
  address.multicast = {};
  return address.url();
}

// What only one socket can have: a path, whatever it is for; else the address.
std::string place_of(const Address& address) {
  const bool is_path = is_unix(address.scheme) && !address.host.starts_with('@');
  return is_path ? address.host : without_settings(address);
}

// Limits that speak of IP addresses, where no client has one.
std::string objection_to_limits(const ListenerSettings& settings) {
  const bool has_ip = std::any_of(settings.listen.begin(), settings.listen.end(),
                                  [](const Address& address) { return !is_unix(address.scheme); });
  if (has_ip || settings.listen.empty()) return "";
  const char* key = !settings.allow.empty()  ? "allow"
                    : !settings.deny.empty() ? "deny"
                    : settings.max_connections_per_source.connections != 0
                        ? "max_connections_per_source"
                        : nullptr;
  if (key == nullptr) return "";
  return "'" + std::string(key) +
         "' is about IP addresses, and clients of Unix sockets have none: who may connect is said "
         "behind the path, as in ?mode=0660&group=www-data (where 'defaults' has it: '" +
         key + ": off' here)";
}

// Where nobody sends a header of the PROXY protocol.
std::string objection_to_proxies(const ListenerSettings& settings) {
  if (settings.proxy_from.empty()) return "";
  const auto takes_headers = [](const Address& address) {
    return address.scheme == Scheme::tcp || address.scheme == Scheme::tls;
  };
  const auto& listen = settings.listen;
  if (std::any_of(listen.begin(), listen.end(), takes_headers)) return "";
  return "'proxy_from' is about connections by tcp:// and tls://, and this listener has no such "
         "address (where 'defaults' has it: 'proxy_from: off' here)";
}

}  // namespace

const std::vector<std::string>& listener_keys() {
  static const std::vector<std::string> keys = {"name",
                                                "listen",
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
  for (const char* key : {"model", "handler"}) {
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
  const std::string url = without_settings(*address);
  if (address->port != 0 || is_unix(address->scheme)) {
    const auto [first, is_new] = addresses_.emplace(place_of(*address), node.where);
    if (!is_new) {
      problems_.add(node.where, url + " is listened on in line " +
                                    std::to_string(first->second.line) + " already");
    }
  }
  draft.settings.listen.push_back(std::move(*address));
  draft.settings.where.listen.push_back(node.where);
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

void ListenerReader::complain_of_missing(const YamlNode& entry, const MapReader& keys,
                                         const ListenerSettings& settings) {
  const std::string listener =
      settings.name.empty() ? "this listener" : "listener '" + settings.name + "'";
  for (const char* key : {"name", "listen"}) {
    if (!keys.attempted(key)) problems_.add(entry.where, listener + " has no '" + key + ":'");
  }
  for (const char* key : {"model", "handler"}) {
    if (!keys.attempted(key) && !assumed_.contains(key)) {
      problems_.add(entry.where, listener + " has no '" + key + ":', and 'defaults:' gives none");
    }
  }
}

// Keys that mean something under other models only. Under `defaults` they may stand for those
// listeners to which they mean something.
void ListenerReader::complain_of_foreign(const MapReader& keys, const ListenerSettings& settings) {
  const ModelRow* own = find_model(settings.model);
  if (own == nullptr) return;
  std::map<std::string_view, std::vector<std::string>> models_of;
  for (const ModelRow* row : model_table()) {
    for (const std::string_view key : row->keys) models_of[key].emplace_back(row->name);
  }
  for (const auto& [key, models] : models_of) {
    const YamlNode* node = keys.find(key);
    if (node == nullptr || std::count(models.begin(), models.end(), settings.model) > 0) continue;
    problems_.add(node->where, "'" + std::string(key) + "' means nothing under model '" +
                                   settings.model + "': it is for " + one_of(models));
  }
}

void ListenerReader::check_together(const YamlNode& entry, const ListenerSettings& settings) {
  const std::string listener = label_of(entry, settings);
  if (settings.max_connections < settings.workers) {
    const Position& where = settings.where.max_connections.line > 0 ? settings.where.max_connections
                                                                    : settings.where.workers;
    complaints_.add(where,
                    "max_connections (" + std::to_string(settings.max_connections) +
                        ") is less than workers (" + std::to_string(settings.workers) +
                        "), so that some workers could serve nobody",
                    listener);
    return;
  }
  if (settings.rate.burst > 1 && settings.rate.burst < settings.workers) {
    complaints_.add(settings.where.rate,
                    "the burst of 'rate' (" + std::to_string(settings.rate.burst) +
                        ") is less than workers (" + std::to_string(settings.workers) +
                        "), each of which needs 1; leave it out, or raise it",
                    listener);
  }
  if (std::string objection = objection_to_limits(settings); !objection.empty()) {
    complaints_.add(settings.where.listen[0], std::move(objection), listener);
  }
  if (std::string objection = objection_to_proxies(settings); !objection.empty()) {
    complaints_.add(settings.where.listen[0], std::move(objection), listener);
  }
  const ModelRow* row = find_model(settings.model);
  if (row == nullptr || row->objection == nullptr) return;
  if (auto objection = row->objection(settings)) {
    complaints_.add(settings.where.model, std::move(*objection), listener);
  }
}

}  // namespace berth
