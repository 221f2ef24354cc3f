// How the host is configured for the benchmark, as text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "options.hpp"
#include "tls.hpp"

namespace berth::bench {

struct HostConfig {
  std::vector<std::string> models;  // a listener each, on free ports
  Transport transport = Transport::tcp;
  int connections = 1;  // each takes at least so many at once, unless its model cannot hold as many
  int workers = 1;
  Certificate certificate = {};  // for TLS alone
  std::uint16_t upstream = 0;    // a port that the listeners are proxies for; 0: a verbatim echo
};

std::string host_config(const Options& options, const HostConfig& config);

// The text of its log that a listener's port follows.
std::string host_names_port_after(Transport transport);

}  // namespace berth::bench
