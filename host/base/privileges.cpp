#include "base/privileges.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>

namespace berth {

namespace {

constexpr uid_t kRoot = 0;
constexpr auto kUnchanged = static_cast<uid_t>(-1);

// The kernel's own calls: libcap would be one more library in every process.
using CapabilityWords = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

bool read_capabilities(CapabilityWords& words) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  return ::syscall(SYS_capget, &header, words.data()) == 0;
}

bool write_capabilities(CapabilityWords words) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  return ::syscall(SYS_capset, &header, words.data()) == 0;
}

// Goes first: it takes CAP_SETPCAP, which a change of the user takes away. Where there is no
// CAP_SETPCAP the set stays; what is in it comes back only by executing a program that has it,
// which no_new_privs rules out.
Result<void> empty_bounding_set() {
  for (unsigned long number = 0; ::prctl(PR_CAPBSET_READ, number) >= 0; ++number) {
    if (::prctl(PR_CAPBSET_DROP, number) != 0 && errno != EPERM) {
      return system_error("cannot empty the bounding set of capabilities", errno);
    }
  }
  return {};
}

Result<void> drop_capabilities() {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return system_error("cannot drop ambient capabilities", errno);
  }
  if (!write_capabilities({})) return system_error("cannot drop capabilities", errno);
  return {};
}

Error cannot_become(const Account& account, const char* call) {
  Error error =
      system_error("cannot become user '" + account.name + "' (" + std::to_string(account.user) +
                       ":" + std::to_string(account.group) + "): " + call,
                   errno);
  if (errno == EPERM) {
    error.message += " (it takes CAP_SETUID and CAP_SETGID, which a container may withhold)";
  } else if (errno == EINVAL) {
    error.message += " (the user namespace of this container has no such user)";
  }
  return error;
}

// Groups first, since the right to change them goes with the user.
Result<void> change_user(const Account& account) {
  if (::setgroups(account.groups.size(), account.groups.data()) != 0) {
    return cannot_become(account, "setgroups");
  }
  if (::setresgid(account.group, account.group, account.group) != 0) {
    return cannot_become(account, "setresgid");
  }
  if (::setresuid(account.user, account.user, account.user) != 0) {
    return cannot_become(account, "setresuid");
  }
  return {};
}

bool is_that(const Account& account) {
  std::array<uid_t, 3> users{};
  std::array<gid_t, 3> groups{};
  if (::getresuid(&users[0], &users[1], &users[2]) != 0) return false;
  if (::getresgid(&groups[0], &groups[1], &groups[2]) != 0) return false;
  return std::all_of(users.begin(), users.end(),
                     [&](uid_t user) { return user == account.user; }) &&
         std::all_of(groups.begin(), groups.end(),
                     [&](gid_t group) { return group == account.group; });
}

bool has_capabilities() {
  CapabilityWords words{};
  return !read_capabilities(words) || std::any_of(words.begin(), words.end(), [](const auto& word) {
    return (word.effective | word.permitted | word.inheritable) != 0;
  });
}

// By trying: a kernel, or a security module, that works otherwise than expected is seen here.
bool can_become(uid_t user) {
  return ::setresuid(user, kUnchanged, kUnchanged) == 0 ||
         ::setresuid(kUnchanged, user, kUnchanged) == 0 ||
         ::setresuid(kUnchanged, kUnchanged, user) == 0;
}
bool can_join(gid_t group) {
  return ::setresgid(group, kUnchanged, kUnchanged) == 0 ||
         ::setresgid(kUnchanged, group, kUnchanged) == 0 ||
         ::setresgid(kUnchanged, kUnchanged, group) == 0 || ::setgroups(1, &group) == 0;
}

// `host_group`: the group that this process had before.
Result<void> prove(const Privileges& privileges, gid_t host_group) {
  if (privileges.account && !is_that(*privileges.account)) {
    return Error{"has not become user '" + privileges.account->name + "' in full"};
  }
  if (privileges.root != RootRights::everything && has_capabilities()) {
    return Error{"has kept capabilities that it dropped"};
  }
  if (privileges.root != RootRights::never) return {};
  if (::getuid() == kRoot || ::geteuid() == kRoot) {
    return Error{"would run a plugin as root; a config that wants this says user: root"};
  }
  if (can_become(kRoot)) return Error{"could become root again"};
  if (privileges.account && privileges.account->group != host_group && can_join(host_group)) {
    return Error{"could join group " + std::to_string(host_group) + " again"};
  }
  return {};
}

}  // namespace

Result<void> drop_privileges(const Privileges& privileges) {
  const gid_t host_group = ::getegid();
  const bool keep_capabilities = privileges.root == RootRights::everything;
  if (!keep_capabilities) {
    if (auto emptied = empty_bounding_set(); !emptied) return emptied;
  }
  if (privileges.account) {
    if (auto changed = change_user(*privileges.account); !changed) return changed;
  }
  if (!keep_capabilities) {
    if (auto dropped = drop_capabilities(); !dropped) return dropped;
  }
  if (auto proven = prove(privileges, host_group); !proven) return proven;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return system_error("cannot set no_new_privs", errno);
  }
  return {};
}

bool may_change_user() {
  CapabilityWords words{};
  constexpr std::uint32_t kNeeded = (1u << CAP_SETUID) | (1u << CAP_SETGID);
  return read_capabilities(words) && (words[0].effective & kNeeded) == kNeeded;
}

// A line of the map: the first user inside, the first outside, how many (man 7 user_namespaces).
bool user_exists_here(uid_t user) {
  std::ifstream map("/proc/self/uid_map");
  if (!map) return true;
  for (std::uint64_t first = 0, outside = 0, count = 0; map >> first >> outside >> count;) {
    if (user >= first && user - first < count) return true;
  }
  return false;
}

bool is_root_among_others() { return ::geteuid() == kRoot && user_exists_here(kNobody); }

}  // namespace berth
