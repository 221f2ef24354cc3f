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

}  // namespace berth
