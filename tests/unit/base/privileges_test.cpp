// Each case drops its privileges in a child that is thrown away.
#include "base/privileges.hpp"

#include <doctest/doctest.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "plugin/try_in_child.hpp"

namespace berth {
namespace {

const Account kSomebody = {"somebody", 23456, 34567, {34567, 45678}};

bool can_drop() {
  if (may_change_user() && user_exists_here(45678)) return true;
  MESSAGE("left out: this takes root");
  return false;
}

// What the kernel says of this process: these lines of /proc/self/status, without their blanks.
std::string status() {
  std::string text;
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    for (const char* const key : {"Uid:", "Gid:", "Groups:", "CapInh:", "CapPrm:", "CapEff:",
                                  "CapBnd:", "CapAmb:", "NoNewPrivs:"}) {
      if (!line.starts_with(key)) continue;
      for (const char c : line) text += c == '\t' ? ' ' : c;
      text += '\n';
    }
  }
  return text;
}

std::string after_dropping(const Privileges& privileges) {
  const auto said = try_in_child([&] {
    const auto dropped = drop_privileges(privileges);
    return dropped ? status() : "cannot: " + dropped.error().message;
  });
  return said ? said.value() : said.error().message;
}

bool has(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

TEST_CASE("root becomes somebody else in full, without capabilities or a way to new ones") {
  if (!can_drop()) return;
  CHECK(after_dropping({kSomebody, RootRights::never}) ==
        "Uid: 23456 23456 23456 23456\n"
        "Gid: 34567 34567 34567 34567\n"
        "Groups: 34567 45678 \n"
        "CapInh: 0000000000000000\n"
        "CapPrm: 0000000000000000\n"
        "CapEff: 0000000000000000\n"
        "CapBnd: 0000000000000000\n"
        "CapAmb: 0000000000000000\n"
        "NoNewPrivs: 1\n");
}

TEST_CASE("root is refused where nobody has said that it may stay") {
  if (::geteuid() != 0) return;
  CHECK(after_dropping({}) ==
        "cannot: would run a plugin as root; a config that wants this says user: root");
}

TEST_CASE("who is said to stay root keeps its capabilities, and gains none by a program") {
  if (!can_drop()) return;
  const std::string told = after_dropping({std::nullopt, RootRights::everything});
  CHECK(has(told, "Uid: 0 0 0 0\n"));
  CHECK_FALSE(has(told, "CapEff: 0000000000000000"));
  CHECK(has(told, "NoNewPrivs: 1\n"));
}

TEST_CASE("the one user of its namespace stays that, without capabilities") {
  if (!can_drop()) return;
  const std::string told = after_dropping({std::nullopt, RootRights::powerless});
  CHECK(has(told, "Uid: 0 0 0 0\n"));
  CHECK(has(told, "CapEff: 0000000000000000\n"));
  CHECK(has(told, "CapPrm: 0000000000000000\n"));
  CHECK(has(told, "CapBnd: 0000000000000000\n"));
}

TEST_CASE("whoever is not root has no capability and gains none, and stays who it is") {
  const auto said = try_in_child([] {
    if (::geteuid() == 0 && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) {
      return std::string("CapEff: 0000000000000000\nNoNewPrivs: 1\nas root alone: not tried");
    }
    const auto dropped = drop_privileges({});
    return dropped ? status() : dropped.error().message;
  });
  REQUIRE(said);
  CHECK(has(said.value(), "CapEff: 0000000000000000\n"));
  CHECK(has(said.value(), "NoNewPrivs: 1\n"));
}

// The user is changed, but a capability brings it back: this is what the proof is for.
TEST_CASE("a change that could be undone is an error") {
  if (!can_drop()) return;
  const auto said = try_in_child([] {
    if (::setresuid(23456, 23456, 0) != 0) return std::string("cannot try");
    const auto dropped = drop_privileges({});  // nothing to change to: the saved user is still 0
    return dropped ? std::string("passed") : dropped.error().message;
  });
  REQUIRE(said);
  CHECK(said.value() == "could become root again");
}

TEST_CASE("without the right to change its user a process says so") {
  const auto said = try_in_child([] {
    if (::geteuid() == 0) (void)drop_privileges({kSomebody, RootRights::never});
    const auto dropped = drop_privileges({Account{"other", 56789, 56789, {56789}}});
    return dropped ? std::string("passed") : dropped.error().message;
  });
  REQUIRE(said);
  CHECK(said.value() ==
        "cannot become user 'other' (56789:56789): setgroups: Operation not permitted (it takes "
        "CAP_SETUID and CAP_SETGID, which a container may withhold)");
  const auto able = try_in_child([] {
    if (::geteuid() == 0) (void)drop_privileges({kSomebody, RootRights::never});
    return std::string(may_change_user() ? "may" : "may not");
  });
  REQUIRE(able);
  if (::geteuid() != 0 || can_drop()) CHECK(able.value() == "may not");
}

TEST_CASE("the users of a namespace are those of its map") {
  CHECK(user_exists_here(::geteuid()));
  CHECK_FALSE(user_exists_here(static_cast<uid_t>(-1)));
}

}  // namespace
}  // namespace berth
