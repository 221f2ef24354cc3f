// Groups of multicast that a socket of UDP is in (man 7 ip, man 7 ipv6).
#pragma once

#include "base/result.hpp"
#include "net/address.hpp"

namespace berth {

// Joins those of the groups that are of the socket's family. The error names the group, the
// interface and the remedy. What it is in already is no error.
[[nodiscard]] Result<void> join_groups(int socket, const Multicast& wanted);

// Leaves those that are in `joined` and not in `wanted`.
void leave_groups(int socket, const Multicast& joined, const Multicast& wanted);

// Whether all of the groups could be joined by a socket of that family. As join_groups().
[[nodiscard]] Result<void> try_to_join(int family, const Multicast& wanted);

}  // namespace berth
