#include "net/parse_unix_address.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include "base/source.hpp"
#include "net/address_settings.hpp"
#include "net/address_text.hpp"

namespace berth {

namespace {

constexpr mode_t kMostRights = 0777;

std::optional<Error> wrong_name(std::string_view text, Scheme scheme, std::string_view name) {
  const std::string start = std::string(name_of(scheme)) + "://";
  if (name.empty() || name == "/" || name == "@") {
    return wrong_address(text, "names no socket",
                         "write " + start + "/run/NAME.sock, or " + start + "@NAME");
  }
  if (name[0] != '/' && name[0] != '@') {
    return wrong_address(text, "has a path that does not begin with '/'",
                         "write " + start + "/" + std::string(name));
  }
  if (!std::all_of(name.begin(), name.end(), is_visible)) {
    return wrong_address(text, "has a path with characters that cannot be seen",
                         "use those of ASCII from '!' to '~'");
  }
  if (name[0] == '/') {
    const std::string normal = std::filesystem::path(name).lexically_normal().string();
    if (normal.ends_with('/')) {
      return wrong_address(text, "names a folder", "write the path of a socket");
    }
    if (normal != name) {
      return wrong_address(text, "takes a roundabout way", "write " + start + normal);
    }
  }
  if (name.size() > kLongestUnixName) {
    return wrong_address(text, "is too long",
                         "the kernel takes " + std::to_string(kLongestUnixName) +
                             " bytes for a name, not " + std::to_string(name.size()));
  }
  return std::nullopt;
}

std::optional<mode_t> parse_mode(std::string_view digits) {
  mode_t mode = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), mode, 8);
  const bool whole = error == std::errc{} && end == digits.data() + digits.size();
  return whole && digits.size() >= 3 && mode <= kMostRights ? std::optional(mode) : std::nullopt;
}

// One `key=value` behind the '?'.
std::optional<Error> take_setting(std::string_view text, std::string_view key,
                                  std::string_view value, SocketFile& file) {
  if (key == "mode") {
    const auto mode = parse_mode(value);
    if (!mode) {
      return wrong_address(text, "has the mode '" + std::string(value) + "'",
                           "write three octal digits, like mode=0660");
    }
    file.mode = *mode;
    return std::nullopt;
  }
  if (key != "user" && key != "group") {
    const std::vector<std::string> known = {"mode", "user", "group"};
    return wrong_address(text,
                         "has '" + std::string(key) + "' behind the '?'" + did_you_mean(key, known),
                         "there can be " + one_of(known) + ", as in ?mode=0660&group=www-data");
  }
  if (value.empty() || !std::all_of(value.begin(), value.end(), is_visible)) {
    return wrong_address(text, "names no " + std::string(key),
                         "write " + std::string(key) + "=NAME, or a number");
  }
  (key == "user" ? file.user : file.group) = value;
  return std::nullopt;
}

std::optional<Error> take_settings(std::string_view text, std::string_view settings,
                                   SocketFile& file) {
  std::set<std::string_view> seen;
  for (const auto& [key, value] : divide_settings(settings)) {
    if (auto error = take_setting(text, key, value, file)) return error;
    if (!seen.insert(key).second) {
      return wrong_address(text, "has '" + std::string(key) + "' twice", "leave off one of them");
    }
  }
  return std::nullopt;
}

}  // namespace

Result<Address> parse_unix_address(std::string_view text, Scheme scheme, std::string_view rest) {
  const auto question = rest.find('?');
  const std::string_view name = rest.substr(0, question);
  if (auto error = wrong_name(text, scheme, name)) return *error;
  Address address;
  address.scheme = scheme;
  address.host = name;
  if (question == std::string_view::npos) return address;
  if (name[0] == '@') {
    return wrong_address(text, "has no file whose mode and owner could be set",
                         "leave off '" + std::string(rest.substr(question)) +
                             "'; whoever is on this machine can connect to an abstract name");
  }
  if (question + 1 == rest.size()) {
    return wrong_address(text, "has nothing behind the '?'", "leave it off");
  }
  if (auto error = take_settings(text, rest.substr(question + 1), address.file)) return *error;
  return address;
}

}  // namespace berth
