// The part of ListenerReader that judges: what a listener lacks, and what does not go together.
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config/listener_reader.hpp"
#include "config/names.hpp"
#include "config/tls_reader.hpp"
#include "model/model.hpp"

namespace berth {
namespace {

std::string label_of(const YamlNode& entry, const ListenerSettings& settings) {
  return settings.name.empty() ? "in line " + std::to_string(entry.where.line)
                               : "'" + settings.name + "'";
}

bool is_tls(const Address& address) { return address.scheme == Scheme::tls; }

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

// Who has no tls:// address has nothing of the `tls:` under `defaults:`.
void ListenerReader::check_tls(const MapReader& keys, Draft& draft) {
  ListenerSettings& settings = draft.settings;
  const auto found = std::find_if(settings.listen.begin(), settings.listen.end(), is_tls);
  if (found == settings.listen.end()) {
    settings.tls.reset();
    const YamlNode* const own = keys.find("tls");
    if (own == nullptr || settings.listen.empty()) return;
    problems_.add(own->where, "'tls' means nothing without an address that begins with tls://: " +
                                  settings.listen[0].url() + " is served without it");
    return;
  }
  if (settings.tls || keys.attempted("tls") || assumed_.contains("tls")) return;
  const auto place = static_cast<std::size_t>(found - settings.listen.begin());
  problems_.add(settings.where.listen[place],
                found->url() +
                    " needs a certificate: add tls: {certificate: chain.pem, key: "
                    "key.pem} to the listener, or to 'defaults:'");
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
  if (settings.tls) {
    if (std::string objection = objection_to_tls(*settings.tls); !objection.empty()) {
      complaints_.add(settings.tls->where.all, std::move(objection), listener);
    }
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
