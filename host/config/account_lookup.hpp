// The system's users and groups, by name or number. Asked for in a child that is thrown away: which
// libraries answer (files, LDAP, …) is the machine's affair (man 5 nsswitch.conf), and the host
// must neither keep them mapped, since each makes every fork of a session dearer, nor hang where
// a directory on the network does not answer.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace berth {

struct FoundUser {
  std::string name;  // the number as text, where it has no name
  uid_t number = 0;
  std::optional<gid_t> group;  // its own; none for a number that no user is known by
  std::vector<gid_t> others;   // the groups that it is a member of beside that one
};

// A name, or a number, known or not. The error is for people: unknown, with the nearest name.
[[nodiscard]] Result<FoundUser> find_user(const std::string& name_or_number);
[[nodiscard]] Result<gid_t> find_group(const std::string& name_or_number);

}  // namespace berth
