// The part of parse_address() that is about multicast groups.
#pragma once

#include <optional>
#include <string_view>

#include "net/address.hpp"

namespace berth {

// Of `text`, an address of UDP as a whole, `settings` is what follows the '?', if there is one.
// Fills in the groups of `address`, whose host is known; the error says what is wrong with them.
[[nodiscard]] std::optional<Error> take_multicast(std::string_view text,
                                                  std::optional<std::string_view> settings,
                                                  Address& address);

// Of an IP address as text: AF_INET or AF_INET6; of a name AF_UNSPEC.
[[nodiscard]] int family_of(const std::string& host);
// Of an IP address as text: whether it stands for a group, of hosts that have joined it.
[[nodiscard]] bool is_multicast(const std::string& host);
// Likewise: whether it stands for all that the machine has, 0.0.0.0 or ::.
[[nodiscard]] bool is_unspecified(const std::string& host);

}  // namespace berth
