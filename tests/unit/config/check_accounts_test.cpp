#include "config/check_accounts.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <map>
#include <string>

namespace berth {
namespace {

AccountLookup lookup() {
  return {.find_user = [](const std::string& text) -> Result<FoundUser> {
            static const std::map<std::string, FoundUser> users = {
                {"root", {"root", 0, gid_t{0}, {}}},
                {"web", {"web", 1000, gid_t{100}, {7, 8}}},
                {"1000", {"web", 1000, gid_t{100}, {7, 8}}},
                {"4711", {"4711", 4711, std::nullopt, {}}},
                {"nobody", {"nobody", 99, gid_t{98}, {}}}};
            const auto found = users.find(text);
            if (found == users.end()) return Error{"there is no user '" + text + "'"};
            return found->second;
          },
          .find_group = [](const std::string& text) -> Result<gid_t> {
            if (text == "mail") return gid_t{8};
            return Error{"there is no group '" + text + "'"};
          }};
}

const HostUser kRootHost = {.user = 0, .group = 0, .may_change = true, .alone = false};
const HostUser kWebHost = {.user = 1000, .group = 100, .may_change = false, .alone = false};

// "stays", "1000:100 100 7 8", with what is allowed to root behind it; or the mistake.
std::string outcome(const std::string& user, const std::string& group, const HostUser& host,
                    const AccountLookup& accounts = lookup()) {
  const auto decided = privileges_of(user, group, host, accounts);
  if (const auto* mistake = std::get_if<AccountMistake>(&decided)) {
    return (mistake->of_group ? "group: " : "user: ") + mistake->message;
  }
  const auto& privileges = std::get<Privileges>(decided);
  std::string text = "stays";
  if (const auto& account = privileges.account) {
    text = account->name + ' ' + std::to_string(account->user) + ':' +
           std::to_string(account->group) + " of";
    for (const gid_t each : account->groups) text += ' ' + std::to_string(each);
  }
  switch (privileges.root) {
    case RootRights::never:
      return text;
    case RootRights::powerless:
      return text + ", powerless";
    case RootRights::everything:
      return text + ", all of root's";
  }
  return "";
}

TEST_CASE("a host that is root runs plugins as nobody where nothing is said") {
  CHECK(outcome("", "", kRootHost) == "nobody 99:98 of 98");
  CHECK(outcome("", "mail", kRootHost) == "nobody 99:8 of 8");
  AccountLookup bare = lookup();  // as a chroot without /etc/passwd
  bare.find_user = [](const std::string&) -> Result<FoundUser> { return Error{"none"}; };
  CHECK(outcome("", "", kRootHost, bare) == "nobody 65534:65534 of 65534");
  bare.find_user = [](const std::string& text) -> Result<FoundUser> {
    return FoundUser{text, 65534, std::nullopt, {}};
  };
  CHECK(outcome("", "", kRootHost, bare) == "nobody 65534:65534 of 65534");
}

TEST_CASE("a user is given with its groups, or with the group that is said") {
  CHECK(outcome("web", "", kRootHost) == "web 1000:100 of 100 7 8");
  CHECK(outcome("web", "mail", kRootHost) == "web 1000:8 of 8 7 8");
  CHECK(outcome("4711", "mail", kRootHost) == "4711 4711:8 of 8");
}

TEST_CASE("root is root only where that is said") {
  CHECK(outcome("root", "", kRootHost) == "stays, all of root's");
  CHECK(outcome("root", "mail", kRootHost) == "root 0:8 of 8, all of root's");
}

TEST_CASE("the one user of a namespace stays what it is, without power") {
  const HostUser alone = {.user = 0, .group = 0, .may_change = true, .alone = true};
  CHECK(outcome("", "", alone) == "stays, powerless");
  CHECK(outcome("root", "", alone) == "stays, all of root's");
}

TEST_CASE("a host that is not root goes on as it is, and as nobody else") {
  CHECK(outcome("", "", kWebHost) == "stays");
  CHECK(outcome("web", "", kWebHost) == "stays");
  CHECK(outcome("1000", "", kWebHost) == "stays");
  CHECK(outcome("nobody", "", kWebHost) ==
        "user: user 'nobody' needs root: the host runs as user 1000, and so do its workers unless "
        "it is started as root");
  CHECK(outcome("root", "", kWebHost).find("user: user 'root' needs root") == 0);
  CHECK(outcome("", "mail", kWebHost).find("group: group 'mail' needs root") == 0);
  CHECK(outcome("4711", "", {.user = 4711, .group = 5, .may_change = false, .alone = false}) ==
        "stays");
  HostUser able = kWebHost;  // by CAP_SETUID and CAP_SETGID
  able.may_change = true;
  CHECK(outcome("nobody", "", able) == "nobody 99:98 of 98");
  CHECK(outcome("", "", able) == "stays");
}

TEST_CASE("root that may not change its user is told so, and what to do") {
  HostUser withheld = kRootHost;
  withheld.may_change = false;
  CHECK(outcome("", "", withheld) ==
        "user: user 'nobody' needs CAP_SETUID and CAP_SETGID, which this container or service "
        "withholds from root: allow them, start the host as another user, or say user: root");
  CHECK(outcome("root", "", withheld) == "stays, all of root's");
}

TEST_CASE("who is not known is told, and which key is meant") {
  CHECK(outcome("wbe", "", kRootHost) == "user: there is no user 'wbe'");
  CHECK(outcome("web", "mial", kRootHost) == "group: there is no group 'mial'");
  CHECK(outcome("4711", "", kRootHost) ==
        "user: user '4711' is not known here, and so neither is its group: say 'group:' too");
}

TEST_CASE("each listener gets its privileges, and each mistake its place") {
  HostSettings settings;
  for (const char* const user : {"", "0", "no-such-user-here"}) {
    ListenerSettings listener;
    listener.user = user;
    listener.where.user = {7, 11};
    settings.listeners.push_back(listener);
  }
  Diagnostics problems("f");
  check_accounts(settings, problems);
  const bool root = ::geteuid() == 0;
  if (!root || may_change_user()) CHECK(settings.listeners[0].privileges.has_value());
  CHECK(settings.listeners[1].privileges.has_value() == root);
  CHECK_FALSE(settings.listeners[2].privileges.has_value());
  CHECK(problems.to_text().find("f:7:11: there is no user 'no-such-user-here'\n") !=
        std::string::npos);
}

TEST_CASE("the system's users and groups are found by name and by number") {
  const auto root = find_user("root");
  REQUIRE(root);
  CHECK(root.value().number == 0);
  CHECK(root.value().group == gid_t{0});
  const auto zero = find_user("0");
  REQUIRE(zero);
  CHECK(zero.value().name == "root");
  const auto unknown = find_user("4294967294");
  REQUIRE(unknown);
  CHECK(unknown.value().number == 4294967294u);
  CHECK_FALSE(unknown.value().group);
  CHECK(find_group("root").value() == 0);
  CHECK(find_group("4711").value() == 4711);
}

TEST_CASE("a name or number that is none of the system's is told with the nearest name") {
  CHECK(find_user("rooot").error().message == "there is no user 'rooot'; did you mean 'root'?");
  CHECK(find_group("rooot").error().message == "there is no group 'rooot'; did you mean 'root'?");
  const std::string range = "the numbers of users and groups are 0 to 4294967294, not ";
  CHECK(find_user("4294967295").error().message == range + "'4294967295'");
  CHECK(find_group("99999999999").error().message == range + "'99999999999'");
  CHECK(find_user("evil\nname").error().message.find("there is no user") == 0);
}

}  // namespace
}  // namespace berth
