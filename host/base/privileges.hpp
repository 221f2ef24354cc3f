// What a process gives up before it runs code of a plugin: the rights of the user it was started
// as, its capabilities, and every way to new ones. For a process with one thread that was just
// forked for that (a worker, the child that tries a plugin); what is given up never comes back.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace berth {

// A user of the system, as a process runs as one.
struct Account {
  std::string name;  // as people call it: "nobody", or "1234" where it has no name
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;  // all of them, supplementary ones too
  auto operator<=>(const Account&) const = default;
};

// What becomes of user 0.
enum class RootRights {
  never,       // running as root is an error
  powerless,   // a user namespace that has no other user: user 0, without any capability
  everything,  // the config says `user: root`
};

struct Privileges {
  std::optional<Account> account;  // to change to; none: the user that the host runs as
  RootRights root = RootRights::never;
  auto operator<=>(const Privileges&) const = default;
};

// Changes to the account, drops all capabilities, proves that nothing of it can be undone, and sets
// no_new_privs (man 2 prctl), by which programs with a set-user-ID bit do not help either. The
// error says what the kernel refused; the process has to end then, since it may be half-way.
[[nodiscard]] Result<void> drop_privileges(const Privileges& privileges);

// Whether this process may change its user and groups (CAP_SETUID and CAP_SETGID), as root
// can unless a container or service took that away.
[[nodiscard]] bool may_change_user();

// Whether the user namespace of this process has a user of that number. The first one has all.
[[nodiscard]] bool user_exists_here(uid_t user);

// User 0 of a system on which there are others, against whom it has to be on its guard.
[[nodiscard]] bool is_root_among_others();

// The user for whatever has to be nobody in particular (the kernel's overflowuid, overflowgid).
constexpr uid_t kNobody = 65534;

}  // namespace berth
