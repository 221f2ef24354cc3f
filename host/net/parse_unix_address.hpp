// The part of parse_address() that is about Unix sockets.
#pragma once

#include <string_view>

#include "net/address.hpp"

namespace berth {

// Of `text`, an address as a whole, `rest` is what follows `unix://` or `unixgram://`.
[[nodiscard]] Result<Address> parse_unix_address(std::string_view text, Scheme scheme,
                                                 std::string_view rest);

}  // namespace berth
