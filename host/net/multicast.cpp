#include "net/multicast.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/fd.hpp"

namespace berth {

namespace {

// A group on an interface, as the kernel takes it. An interface that is said by its IPv4 address
// is left to the kernel to find.
struct Membership {
  int family = AF_UNSPEC;
  ip_mreqn ipv4{};
  ipv6_mreq ipv6{};
};

Membership membership(const std::string& group, const std::string& interface_name) {
  Membership made;
  const unsigned index = ::if_nametoindex(interface_name.c_str());
  if (::inet_pton(AF_INET, group.c_str(), &made.ipv4.imr_multiaddr) == 1) {
    made.family = AF_INET;
    made.ipv4.imr_ifindex = static_cast<int>(index);
    if (index == 0) (void)::inet_pton(AF_INET, interface_name.c_str(), &made.ipv4.imr_address);
  } else if (::inet_pton(AF_INET6, group.c_str(), &made.ipv6.ipv6mr_multiaddr) == 1) {
    made.family = AF_INET6;
    made.ipv6.ipv6mr_interface = index;
  }
  return made;
}

bool is_known(const std::string& interface_name, int family) {
  in_addr ignored;
  return interface_name.empty() || ::if_nametoindex(interface_name.c_str()) != 0 ||
         (family == AF_INET && ::inet_pton(AF_INET, interface_name.c_str(), &ignored) == 1);
}

int change(int socket, const Membership& one, bool join) {
  const bool ipv6 = one.family == AF_INET6;
  const int option = ipv6 ? (join ? IPV6_ADD_MEMBERSHIP : IPV6_DROP_MEMBERSHIP)
                          : (join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP);
  const int result = ipv6 ? ::setsockopt(socket, IPPROTO_IPV6, option, &one.ipv6, sizeof one.ipv6)
                          : ::setsockopt(socket, IPPROTO_IP, option, &one.ipv4, sizeof one.ipv4);
  return result == 0 ? 0 : errno;
}

Error cannot_join(const std::string& group, const std::string& interface_name, int errno_value) {
  const std::string where = interface_name.empty() ? "" : " on interface '" + interface_name + "'";
  Error error = system_error("cannot join the group " + group + where, errno_value);
  switch (errno_value) {
    case ENODEV:
      error.message +=
          interface_name.empty()
              ? " (no route leads to it: name the interface, as in &interface=eth0)"
              : " (there is no such interface, or it has no address: ip address lists them)";
      break;
    case ENOBUFS:
      error.message += " (net.ipv4.igmp_max_memberships says how many a socket may be in)";
      break;
    default:
      break;
  }
  return error;
}

int family_of_socket(int socket) {
  int family = AF_UNSPEC;
  socklen_t length = sizeof family;
  (void)::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &length);
  return family;
}

}  // namespace

Result<void> join_groups(int socket, const Multicast& wanted) {
  const int family = family_of_socket(socket);
  for (const std::string& group : wanted.groups) {
    const Membership one = membership(group, wanted.interface_name);
    if (one.family != family) continue;
    int error = ENODEV;
    if (is_known(wanted.interface_name, family)) error = change(socket, one, true);
    if (error != 0 && error != EADDRINUSE) {
      return cannot_join(group, wanted.interface_name, error);
    }
  }
  return {};
}

void leave_groups(int socket, const Multicast& joined, const Multicast& wanted) {
  const bool same_place = joined.interface_name == wanted.interface_name;
  for (const std::string& group : joined.groups) {
    const bool stays = same_place && std::count(wanted.groups.begin(), wanted.groups.end(), group);
    const Membership one = membership(group, joined.interface_name);
    if (!stays && one.family == family_of_socket(socket)) (void)change(socket, one, false);
  }
}

Result<void> try_to_join(int family, const Multicast& wanted) {
  if (wanted.groups.empty()) return {};
  const Fd probe(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!probe) return system_error("cannot make a socket to join groups with", errno);
  return join_groups(probe.get(), wanted);
}

}  // namespace berth
