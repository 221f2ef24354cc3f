// What the texts of addresses are made of, for those who read them: nothing here asks the network.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace berth {

// `text`, an address as a whole, cannot be used: "address 'TEXT' WHAT: REMEDY".
[[nodiscard]] Error wrong_address(std::string_view text, const std::string& what,
                                  const std::string& remedy);

// Of ASCII, and no space or control character.
[[nodiscard]] constexpr bool is_visible(char c) { return c > ' ' && c < '\x7f'; }

// Of an IP address as text: AF_INET or AF_INET6; of a name AF_UNSPEC.
[[nodiscard]] int family_of(const std::string& host);
// Of an IP address as text: whether it stands for a group, of hosts that have joined it.
[[nodiscard]] bool is_multicast(const std::string& host);
// Likewise: whether it stands for all that the machine has, 0.0.0.0 or ::.
[[nodiscard]] bool is_unspecified(const std::string& host);

}  // namespace berth
