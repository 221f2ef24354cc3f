// What the load and the servers under test talk over, in one table.
#pragma once

#include <string>
#include <string_view>

namespace berth::bench {

enum class Transport { tcp, udp, tls };

struct TransportFacts {
  Transport transport;
  const char* name;   // as the command line and the scheme of the host's address have it
  const char* title;  // before what is done over it; TCP goes without saying
};

inline constexpr TransportFacts kTransports[] = {
    {Transport::tcp, "tcp", ""},
    {Transport::udp, "udp", "UDP "},
    {Transport::tls, "tls", "TLS "},
};

constexpr const TransportFacts& facts_of(Transport transport) {
  return kTransports[static_cast<int>(transport)];
}

inline std::string scheme_of(Transport transport) {
  return std::string(facts_of(transport).name) + "://";
}

// Throws std::invalid_argument if there is none of this name.
Transport parse_transport(std::string_view name);

}  // namespace berth::bench
