// What tests of a session's own connections have in common.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>

#include <string>

#include "serve/session_rig.hpp"

namespace berth::testing {

inline std::string url_of(const Fd& listening) { return local_address(listening.get()).url(); }

inline Fd accept_from(const Fd& listening) {
  pollfd waiting = {listening.get(), POLLIN, 0};
  REQUIRE(::poll(&waiting, 1, 10'000) == 1);
  return Fd(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

// Hands a socket over to the session.
inline berth_connection* adopt(berth_connection* c, Fd socket) {
  berth_connection* adopted = nullptr;
  CHECK(c->host->adopt(c, socket.release(), &adopted) == 0);
  return adopted;
}

}  // namespace berth::testing
