// `berth send`: the echo client; here is the part of it that can be tested without a network.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "net/address.hpp"

namespace berth {

// The port of the shipped config's echo listener.
constexpr std::uint16_t kDefaultSendPort = 50007;

// Where to send to: `unix://NAME`, `unixgram://NAME`, `udp://HOST:PORT`, `tcp://HOST:PORT`,
// `HOST:PORT` or `HOST`, the brackets around an IPv6 address optional where no port follows. `port`
// is the one of --port, for an address without its own; an address that has one as well is an
// error.
[[nodiscard]] Result<Address> parse_send_address(std::string_view text,
                                                 std::optional<std::uint16_t> port);

}  // namespace berth
