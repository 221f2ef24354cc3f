// The part of checking a config that needs the system's users: as whom each listener's workers run,
// and whether this process may change to that user.
#pragma once

#include <functional>
#include <string>
#include <variant>

#include "base/privileges.hpp"
#include "base/result.hpp"
#include "base/source.hpp"
#include "config/account_lookup.hpp"
#include "supervise/host_settings.hpp"

namespace berth {

// What this process is, as far as it matters here.
struct HostUser {
  uid_t user = 0;
  gid_t group = 0;
  bool may_change = false;  // see may_change_user()
  bool alone = false;       // user 0 of a namespace that has no other user
};
[[nodiscard]] HostUser host_user();

struct AccountLookup {
  std::function<Result<FoundUser>(const std::string&)> find_user;
  std::function<Result<gid_t>(const std::string&)> find_group;
};
[[nodiscard]] AccountLookup system_accounts();

// As whom a listener's workers run, from its `user:` and `group:` as written, or empty where
// nothing is said, on this host. Policy:
//   - a host that is not root goes on as the user that it is, if nothing else is said;
//   - one that is root, and of which nothing is said, runs plugins as `nobody`;
//   - they run as root only where the config says `user: root`.
// A mistake is for people, and says which of the two keys it is about.
struct AccountMistake {
  bool of_group;
  std::string message;
};
[[nodiscard]] std::variant<Privileges, AccountMistake> privileges_of(const std::string& user,
                                                                     const std::string& group,
                                                                     const HostUser& host,
                                                                     const AccountLookup& lookup);

// Fills in the privileges of each listener, and the owners of its Unix sockets; mistakes go where
// `user:` or `group:`, or the address, stands.
void check_accounts(HostSettings& settings, Diagnostics& problems);

}  // namespace berth
