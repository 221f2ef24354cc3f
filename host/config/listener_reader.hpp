// The entries of `listeners:`, each on top of what `defaults:` says. What is wrong under
// `defaults:` is told there, once, and not again for each listener that inherits it.
//
// `options:` under `defaults:` are those of the `handler:` beside them: a listener of that handler
// inherits them, key by key, and its own options win; a listener of another handler has its own
// alone, since options of one handler mean nothing to another.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/source.hpp"
#include "config/map_reader.hpp"
#include "config/shared_complaints.hpp"
#include "serve/listener_settings.hpp"

namespace berth {

// The keys of a listener, in the order in which people give them.
[[nodiscard]] const std::vector<std::string>& listener_keys();

// Borrows the problems. First what is above the listeners, then read() for each, then finish().
class ListenerReader {
 public:
  // Relative paths are taken from `folder`.
  ListenerReader(std::filesystem::path folder, Diagnostics& problems)
      : folder_(std::move(folder)), problems_(problems) {}

  // `drain_timeout:` of the top level; one under `defaults:` wins over it.
  void read_drain_timeout(const YamlNode& node);
  // `user:` and `group:` of the top level; those under `defaults:` win over them.
  void read_account(const MapReader& top);
  void read_defaults(const YamlNode& node);
  // The key was meant to be set for all listeners, but cannot be read; that has been told.
  void assume_given(const std::string& key) { assumed_.insert(key); }

  void read(const YamlNode& entry);
  [[nodiscard]] const ListenerSettings& defaults() const { return defaults_.settings; }
  [[nodiscard]] std::vector<ListenerSettings> finish();

 private:
  struct Draft {
    ListenerSettings settings;
    // A number or address of it is not known, so that nothing can be said of what depends on them.
    bool doubtful = false;
  };

  void read_shared_keys(const MapReader& keys, Draft& draft);
  void read_numbers(const MapReader& keys, Draft& draft);
  void read_tls(const MapReader& keys, Draft& draft);
  void read_timeouts(const MapReader& keys, ListenerSettings& settings);
  void read_account(const MapReader& keys, ListenerSettings& settings);
  void read_name(const YamlNode& node, ListenerSettings& settings);
  void read_listen(const YamlNode& node, Draft& draft);
  void read_address(const YamlNode& node, Draft& draft);
  void check_place(const Address& address, Position where);
  void read_model(const YamlNode& node, ListenerSettings& settings);
  void read_handler(const YamlNode& node, ListenerSettings& settings);
  void inherit_options(bool has_own, ListenerSettings& settings) const;
  void complain_of_missing(const YamlNode& entry, const MapReader& keys,
                           const ListenerSettings& settings);
  void complain_of_foreign(const MapReader& keys, const ListenerSettings& settings);
  void check_tls(const MapReader& keys, Draft& draft);
  void check_together(const YamlNode& entry, const ListenerSettings& settings);

  const std::filesystem::path folder_;
  Diagnostics& problems_;
  Draft defaults_;
  std::set<std::string> assumed_;
  std::map<std::string, Position> names_;
  struct Listened {
    Address address;
    Position where;
  };
  std::map<std::string, Listened> addresses_;  // by place_of()
  SharedComplaints complaints_;
  std::vector<ListenerSettings> listeners_;
};

}  // namespace berth
