// Headers of the PROXY protocol, as a proxy writes them ahead of what its client sends.
#pragma once

#include <arpa/inet.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace e2e {

// One end of the connection that the proxy took: "203.0.113.9" or "2001:db8::9", and a port.
struct ProxiedEnd {
  std::string host;
  std::uint16_t port;
};

// The line of version 1.
inline std::string header_v1(const ProxiedEnd& client, const ProxiedEnd& server) {
  const bool ipv6 = client.host.find(':') != std::string::npos;
  return std::string("PROXY ") + (ipv6 ? "TCP6 " : "TCP4 ") + client.host + " " + server.host +
         " " + std::to_string(client.port) + " " + std::to_string(server.port) + "\r\n";
}

// A block of version 2: the command (0x20 LOCAL, 0x21 PROXY), family and transport, and the rest.
inline std::string block_v2(int command, int family, const std::string& rest) {
  std::string block("\r\n\r\n\0\r\nQUIT\n", 12);
  block += static_cast<char>(command);
  block += static_cast<char>(family);
  block += static_cast<char>(rest.size() >> 8);
  block += static_cast<char>(rest.size() & 0xff);
  return block + rest;
}

// The block of version 2 for a TCP connection.
inline std::string header_v2(const ProxiedEnd& client, const ProxiedEnd& server) {
  const bool ipv6 = client.host.find(':') != std::string::npos;
  std::string rest;
  for (const ProxiedEnd* end : {&client, &server}) {
    char host[16];
    if (::inet_pton(ipv6 ? AF_INET6 : AF_INET, end->host.c_str(), host) != 1) {
      throw std::runtime_error("no address: " + end->host);
    }
    rest.append(host, ipv6 ? 16 : 4);
  }
  for (const ProxiedEnd* end : {&client, &server}) {
    rest += static_cast<char>(end->port >> 8);
    rest += static_cast<char>(end->port & 0xff);
  }
  return block_v2(0x21, ipv6 ? 0x21 : 0x11, rest);
}

}  // namespace e2e
