#include "config/account_lookup.hpp"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <sstream>

#include "base/source.hpp"
#include "plugin/try_in_child.hpp"

namespace berth {

namespace {

// For the nearest name no more of a large directory is read than this.
constexpr std::size_t kMostNames = 1000;
constexpr int kMostGroups = 65536;  // the kernel's own limit (NGROUPS_MAX)

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// The highest number stands for none (man 2 setresuid).
Result<std::uint32_t> number_of(const std::string& text) {
  std::uint32_t number = 0;
  const auto error = std::from_chars(text.data(), text.data() + text.size(), number).ec;
  if (error == std::errc() && number < std::numeric_limits<std::uint32_t>::max()) return number;
  return Error{"the numbers of users and groups are 0 to 4294967294, not " + in_quotes(text)};
}

std::vector<std::string> user_names() {
  std::vector<std::string> names;
  ::setpwent();
  for (const passwd* entry = nullptr; names.size() < kMostNames && (entry = ::getpwent());) {
    names.emplace_back(entry->pw_name);
  }
  return names;
}

std::vector<std::string> group_names() {
  std::vector<std::string> names;
  ::setgrent();
  for (const group* entry = nullptr; names.size() < kMostNames && (entry = ::getgrent());) {
    names.emplace_back(entry->gr_name);
  }
  return names;
}

std::vector<gid_t> groups_beside(const passwd& user) {
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  if (::getgrouplist(user.pw_name, user.pw_gid, groups.data(), &count) < 0) {
    count = std::min(count, kMostGroups);
    groups.resize(static_cast<std::size_t>(count));
    (void)::getgrouplist(user.pw_name, user.pw_gid, groups.data(), &count);
  }
  groups.resize(std::min(groups.size(), static_cast<std::size_t>(count)));
  std::erase(groups, user.pw_gid);
  return groups;
}

// ---- In the child: an answer is one line that begins with how it is to be taken ----

constexpr char kFound = '+';
constexpr char kWrong = '-';

std::string wrong(const std::string& message) { return kWrong + message; }

std::string answer_for_user(const std::string& text) {
  const bool by_number = is_number(text);
  const auto number = by_number ? number_of(text) : 0u;
  if (!number) return wrong(number.error().message);
  const passwd* const found = by_number ? ::getpwuid(number.value()) : ::getpwnam(text.c_str());
  if (found == nullptr && by_number) return kFound + text + ' ' + text;
  if (found == nullptr) {
    return wrong("there is no user " + in_quotes(text) + did_you_mean(text, user_names()));
  }
  const passwd user = *found;
  std::string answer = kFound + std::string(user.pw_name) + ' ' + std::to_string(user.pw_uid) +
                       ' ' + std::to_string(user.pw_gid);
  for (const gid_t other : groups_beside(user)) answer += ' ' + std::to_string(other);
  return answer;
}

std::string answer_for_group(const std::string& text) {
  if (is_number(text)) {
    const auto number = number_of(text);
    return number ? kFound + std::to_string(number.value()) : wrong(number.error().message);
  }
  if (const group* const found = ::getgrnam(text.c_str())) {
    return kFound + std::to_string(found->gr_gid);
  }
  return wrong("there is no group " + in_quotes(text) + did_you_mean(text, group_names()));
}

// ---- Here ----

Result<std::string> ask(const std::string& what, const std::function<std::string()>& answer) {
  const auto said = try_in_child(answer);
  if (!said) return Error{"looking up " + in_quotes(what) + " " + said.error().message};
  if (said.value().starts_with(kFound)) return said.value().substr(1);
  return Error{said.value().substr(said.value().starts_with(kWrong) ? 1 : 0)};
}

}  // namespace

Result<FoundUser> find_user(const std::string& name_or_number) {
  const auto answer = ask(name_or_number, [&] { return answer_for_user(name_or_number); });
  if (!answer) return answer.error();
  FoundUser user;
  std::istringstream words(answer.value());
  words >> user.name >> user.number;
  if (gid_t group = 0; words >> group) user.group = group;
  for (gid_t other = 0; words >> other;) user.others.push_back(other);
  return user;
}

Result<gid_t> find_group(const std::string& name_or_number) {
  const auto answer = ask(name_or_number, [&] { return answer_for_group(name_or_number); });
  if (!answer) return answer.error();
  return static_cast<gid_t>(std::stoul(answer.value()));
}

}  // namespace berth
