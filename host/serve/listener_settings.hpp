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
#include "plugin/option_value.hpp"

namespace berth {

struct ListenerSettings {
  std::string name;
  std::vector<Address> listen;
  std::string model;
  std::string handler;
  std::vector<OptionSetting> options;
  int backlog = 4096;
  std::uint32_t max_connections = 1000;  // of the listener; its workers share it out
  unsigned workers = 1;
  Duration idle_timeout = std::chrono::minutes(10);  // kUnlimited: none
  Duration drain_timeout = std::chrono::seconds(30);
  Duration heartbeat_timeout = std::chrono::seconds(10);
  std::string user, group;  // as written, names or numbers; empty: not said
  // What these come to. None where that has not been found out, or was told to be wrong: then
  // nothing of a plugin may run.
  std::optional<Privileges> privileges;

  // Under `defaults:` for what the listener has from there.
  struct {
    Position name, model, handler;
    Position options;                   // where the handler stands, if there are none
    Position workers, max_connections;  // {} where the built-in number holds
    Position user, group;               // {} where none is said
    std::vector<Position> listen;       // parallel to `listen` above
  } where;
};

}  // namespace berth
