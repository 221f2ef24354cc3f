// What one listener is to be: plain values, checked, with the places they came from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/privileges.hpp"
#include "base/source.hpp"
#include "net/address.hpp"
#include "net/network.hpp"
#include "plugin/option_value.hpp"

namespace berth {

// How many connections one source may have at a time. Clients with the same prefix are one source:
// by default a single IPv4 address, and the /64 of an IPv6 address, of which one machine can take
// as many as it likes.
struct SourceLimit {
  std::uint32_t connections = 0;  // 0: no limit
  unsigned ipv4_prefix = 32;
  unsigned ipv6_prefix = 64;
  bool operator==(const SourceLimit&) const = default;
};

// So many new connections in so long, evenly spaced but for `burst` of them that may come at once
// after a pause. 0 connections: no limit.
struct RateLimit {
  std::uint32_t connections = 0;
  Duration in = std::chrono::seconds(1);
  std::uint32_t burst = 1;
  bool operator==(const RateLimit&) const = default;
};

// What a process may use of the machine: that of a session where each session has one, else the
// worker. 0: what the system allows.
struct ResourceLimits {
  std::uint64_t memory = 0;  // bytes
  std::chrono::seconds cpu_time{0};
  std::uint32_t descriptors = 0;
  bool operator==(const ResourceLimits&) const = default;
};

struct ListenerSettings {
  std::string name;
  std::vector<Address> listen;
  std::string model;
  std::string handler;
  std::vector<OptionSetting> options;
  int backlog = 4096;
  std::uint32_t max_connections = 1000;  // of the listener; its workers share it out
  unsigned workers = 1;
  std::uint32_t threads = 32;                 // of each worker under thread-pool
  std::uint32_t spare = 8;                    // processes of each worker ready under prefork
  std::uint32_t connections_per_process = 0;  // under prefork; 0: no limit
  SourceLimit max_connections_per_source;  // of the listener, whichever of its workers serve them
  RateLimit rate;                          // of the listener; its workers share it out
  std::vector<Network> allow;              // none: everybody
  std::vector<Network> deny;               // wins over `allow`
  std::vector<Network> proxy_from;         // whose connections begin with a PROXY header
  ResourceLimits resources;
  Duration idle_timeout = std::chrono::minutes(10);  // kUnlimited: none, as below
  Duration write_timeout = kUnlimited;
  Duration session_timeout = kUnlimited;
  // For each thing that has to come before the handler sees a connection: the header of the PROXY
  // protocol, from the accept on; then a TLS handshake.
  Duration handshake_timeout = std::chrono::seconds(10);
  Duration drain_timeout = std::chrono::seconds(30);
  Duration heartbeat_timeout = std::chrono::seconds(10);
  std::string user, group;  // as written, names or numbers; empty: not said
  // What these come to. None where that has not been found out, or was told to be wrong: then
  // nothing of a plugin may run.
  std::optional<Privileges> privileges;

  // Under `defaults:` for what the listener has from there.
  struct Places {
    Position name, model, handler;
    Position options;                         // where the handler stands, if there are none
    Position workers, max_connections, rate;  // {} where the built-in value holds
    Position user, group;                     // {} where none is said
    std::vector<Position> listen;             // parallel to `listen` above
    // A listener that has only moved within its file is the same.
    bool operator==(const Places&) const { return true; }
  } where;

  bool operator==(const ListenerSettings&) const = default;
};

}  // namespace berth
