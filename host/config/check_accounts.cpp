#include "config/check_accounts.hpp"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace berth {

namespace {

constexpr uid_t kRoot = 0;
constexpr const char* kDefaultUser = "nobody";

// Nobody in particular has no rights anywhere, so a system without a user of that name has one of
// that number.
FoundUser default_user(const AccountLookup& lookup) {
  auto found = lookup.find_user(kDefaultUser);
  if (found && found->group) return found.value();
  return {.name = kDefaultUser, .number = kNobody, .group = kNobody, .others = {}};
}

Result<FoundUser> user_meant(const std::string& user, const HostUser& host,
                             const AccountLookup& lookup) {
  if (!user.empty()) {
    auto found = lookup.find_user(user);
    // A number that nobody is known by is as good as a name for who goes on as it is.
    if (found && found.value().number == host.user && !found.value().group) {
      found.value().group = host.group;
    }
    return found;
  }
  if (host.user == kRoot && !host.alone) return default_user(lookup);
  return FoundUser{std::to_string(host.user), host.user, host.group, {}};
}

Account account_of(const FoundUser& user, gid_t group) {
  Account account{user.name, user.number, group, user.others};
  account.groups.insert(account.groups.begin(), group);
  return account;
}

std::string may_not_change(const std::string& what, const HostUser& host) {
  if (host.user == kRoot) {
    return what +
           " needs CAP_SETUID and CAP_SETGID, which this container or service withholds "
           "from root: allow them, start the host as another user, or say user: root";
  }
  return what + " needs root: the host runs as user " + std::to_string(host.user) +
         ", and so do its workers unless it is started as root";
}

bool is_in_group(gid_t group) {
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
  groups.resize(static_cast<std::size_t>(
      std::max(0, ::getgroups(static_cast<int>(groups.size()), groups.data()))));
  groups.push_back(::getegid());
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

// The user and group of a Unix socket's file.
Result<void> find_owner(SocketFile& file, const HostUser& host, const AccountLookup& lookup) {
  if (!file.user.empty()) {
    const auto user = lookup.find_user(file.user);
    if (!user) return user.error();
    if (user.value().number != host.user && host.user != kRoot) {
      return Error{"only root can give a socket to user " + in_quotes(file.user) +
                   ", and the host runs as user " + std::to_string(host.user) +
                   ": leave it out, or name a group of that user's"};
    }
    file.uid = user.value().number;
  }
  if (!file.group.empty()) {
    const auto group = lookup.find_group(file.group);
    if (!group) return group.error();
    if (host.user != kRoot && !is_in_group(group.value())) {
      return Error{"only root can give a socket to group " + in_quotes(file.group) +
                   ", which the host's user is not in"};
    }
    file.gid = group.value();
  }
  return {};
}

void find_owners(ListenerSettings& listener, const HostUser& host, const AccountLookup& lookup,
                 Diagnostics& problems) {
  for (std::size_t i = 0; i < listener.listen.size(); ++i) {
    const auto found = find_owner(listener.listen[i].file, host, lookup);
    if (!found) problems.add(listener.where.listen[i], found.error().message);
  }
}

}  // namespace

HostUser host_user() {
  const uid_t user = ::geteuid();
  return {.user = user,
          .group = ::getegid(),
          .may_change = may_change_user(),
          .alone = user == kRoot && !is_root_among_others()};
}

AccountLookup system_accounts() {
  return {.find_user = [](const std::string& text) { return find_user(text); },
          .find_group = [](const std::string& text) { return find_group(text); }};
}

std::variant<Privileges, AccountMistake> privileges_of(const std::string& user,
                                                       const std::string& group,
                                                       const HostUser& host,
                                                       const AccountLookup& lookup) {
  const auto found = user_meant(user, host, lookup);
  if (!found) return AccountMistake{false, found.error().message};
  const FoundUser& meant = found.value();
  const std::string named = "user " + in_quotes(meant.name);
  if (group.empty() && !meant.group) {
    return AccountMistake{
        false, named + " is not known here, and so neither is its group: say 'group:' too"};
  }
  const auto chosen = group.empty() ? Result<gid_t>(*meant.group) : lookup.find_group(group);
  if (!chosen) return AccountMistake{true, chosen.error().message};

  Privileges privileges;
  if (meant.number == kRoot) {
    privileges.root = user.empty() ? RootRights::powerless : RootRights::everything;
  }
  const bool same_user = meant.number == host.user;
  const bool same_group = group.empty() || chosen.value() == host.group;
  if (same_user && same_group) return privileges;
  if (!host.may_change) {
    const std::string what = same_user ? "group " + in_quotes(group) : named;
    return AccountMistake{same_user, may_not_change(what, host)};
  }
  privileges.account = account_of(meant, chosen.value());
  return privileges;
}

void check_accounts(HostSettings& settings, Diagnostics& problems) {
  const HostUser host = host_user();
  const AccountLookup lookup = system_accounts();
  // Most listeners share what the top level says, or that nothing is said.
  std::map<std::pair<std::string, std::string>, std::variant<Privileges, AccountMistake>> known;
  for (ListenerSettings& listener : settings.listeners) {
    find_owners(listener, host, lookup, problems);
    const auto key = std::pair(listener.user, listener.group);
    auto found = known.find(key);
    if (found == known.end()) {
      found = known.emplace(key, privileges_of(key.first, key.second, host, lookup)).first;
    }
    if (const auto* mistake = std::get_if<AccountMistake>(&found->second)) {
      problems.add(mistake->of_group ? listener.where.group : listener.where.user,
                   mistake->message);
    } else {
      listener.privileges = std::get<Privileges>(found->second);
    }
  }
}

}  // namespace berth
