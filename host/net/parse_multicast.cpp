#include "net/parse_multicast.hpp"

#include <net/if.h>

#include <algorithm>
#include <string>

#include "base/source.hpp"
#include "net/address_settings.hpp"
#include "net/address_text.hpp"

namespace berth {

namespace {

// "udp://[::]:5000", beside a group of IPv6.
std::string everywhere(const std::string& group, std::uint16_t port) {
  const std::string host = family_of(group) == AF_INET6 ? "[::]" : "0.0.0.0";
  return "udp://" + host + ":" + std::to_string(port);
}

// As the kernel has them, and as they can stand in an address.
bool is_interface(std::string_view name) {
  const auto fits = [](char c) { return c > ' ' && c < '\x7f' && c != '&' && c != '?'; };
  return !name.empty() && name.size() < IF_NAMESIZE && std::all_of(name.begin(), name.end(), fits);
}

std::optional<Error> take_group(std::string_view text, const std::string& group, Address& address) {
  if (!is_multicast(group)) {
    return wrong_address(
        text, "has the group '" + group + "'",
        "a group is an address from 224.0.0.0 to 239.255.255.255, or one of IPv6 that "
        "begins with ff");
  }
  const int family = family_of(address.host);
  if (family != AF_UNSPEC && family != family_of(group)) {
    return wrong_address(text, "has the group " + group + ", which is not of the address's kind",
                         "write " + everywhere(group, address.port) + "?group=" + group);
  }
  if (family != AF_UNSPEC && !is_unspecified(address.host)) {
    return wrong_address(
        text, "has a group, and a host of its own",
        "to a socket of one address nothing comes that was sent to a group: write " +
            everywhere(group, address.port) + "?group=" + group);
  }
  auto& groups = address.multicast.groups;
  if (std::find(groups.begin(), groups.end(), group) != groups.end()) {
    return wrong_address(text, "has the group " + group + " twice", "leave off one of them");
  }
  groups.push_back(group);
  return std::nullopt;
}

std::optional<Error> take_setting(std::string_view text, const AddressSetting& setting,
                                  Address& address) {
  const auto& [key, value] = setting;
  if (key == "group") return take_group(text, std::string(value), address);
  if (key != "interface") {
    const std::vector<std::string> known = {"group", "interface"};
    return wrong_address(
        text, "has '" + std::string(key) + "' behind the '?'" + did_you_mean(key, known),
        "there can be " + one_of(known) + ", as in ?group=239.1.2.3&interface=eth0");
  }
  if (!address.multicast.interface_name.empty()) {
    return wrong_address(text, "has 'interface' twice", "leave off one of them");
  }
  if (!is_interface(value)) {
    return wrong_address(
        text, "has the interface '" + std::string(value) + "'",
        "write its name, like eth0 (ip link lists them), or an IPv4 address that it has");
  }
  address.multicast.interface_name = value;
  return std::nullopt;
}

}  // namespace

std::optional<Error> take_multicast(std::string_view text, std::optional<std::string_view> settings,
                                    Address& address) {
  if (is_multicast(address.host)) {
    return wrong_address(
        text, "has a group of multicast for a host",
        "write " + everywhere(address.host, address.port) + "?group=" + address.host);
  }
  if (!settings) return std::nullopt;
  if (settings->empty()) return wrong_address(text, "has nothing behind the '?'", "leave it off");
  for (const AddressSetting& setting : divide_settings(*settings)) {
    if (auto error = take_setting(text, setting, address)) return error;
  }
  if (address.multicast.groups.empty()) {
    return wrong_address(
        text, "names an interface and no group",
        "an interface is where groups are joined: write ?group=239.1.2.3&interface=" +
            address.multicast.interface_name);
  }
  return std::nullopt;
}

}  // namespace berth
