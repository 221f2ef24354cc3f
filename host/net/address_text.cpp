#include "net/address_text.hpp"

#include <arpa/inet.h>

namespace berth {

Error wrong_address(std::string_view text, const std::string& what, const std::string& remedy) {
  return Error{"address '" + std::string(text) + "' " + what + ": " + remedy};
}

int family_of(const std::string& host) {
  in6_addr ignored;
  if (inet_pton(AF_INET, host.c_str(), &ignored) == 1) return AF_INET;
  if (inet_pton(AF_INET6, host.c_str(), &ignored) == 1) return AF_INET6;
  return AF_UNSPEC;
}

bool is_unspecified(const std::string& host) {
  in_addr ipv4;
  if (inet_pton(AF_INET, host.c_str(), &ipv4) == 1) return ipv4.s_addr == INADDR_ANY;
  in6_addr ipv6;
  return inet_pton(AF_INET6, host.c_str(), &ipv6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&ipv6);
}

bool is_multicast(const std::string& host) {
  in_addr ipv4;
  if (inet_pton(AF_INET, host.c_str(), &ipv4) == 1) return IN_MULTICAST(ntohl(ipv4.s_addr));
  in6_addr ipv6;
  return inet_pton(AF_INET6, host.c_str(), &ipv6) == 1 && IN6_IS_ADDR_MULTICAST(&ipv6);
}

}  // namespace berth
