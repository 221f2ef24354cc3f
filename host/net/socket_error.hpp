// How it is said that something cannot be done at an address.
#pragma once

#include <string>

#include "base/result.hpp"
#include "net/address.hpp"

namespace berth {

// "cannot bind tcp://0.0.0.0:80: Permission denied", and what a person can do about it, which
// begins with a space.
[[nodiscard]] inline Error cannot(const std::string& do_what, const SocketAddress& address,
                                  int errno_value, const std::string& remedy = "") {
  Error error = system_error("cannot " + do_what + " " + address.url(), errno_value);
  error.message += remedy;
  return error;
}

}  // namespace berth
