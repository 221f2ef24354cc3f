// For how long the client has taken nothing of a pending write. Looked at now and then, and only
// while a write waits: the kernel takes bytes in large pieces as its queue for the socket empties,
// so whether a slow client takes any is only seen in the queue itself.
#pragma once

#include <cstdint>

#include "base/clock.hpp"
#include "serve/listener_settings.hpp"

namespace berth {

class WriteProgress {
 public:
  // How often to look, for a limit to be noticed late by little: an eighth of it.
  [[nodiscard]] static Duration interval(Duration limit);
  // The same for a session's own writes, which both of its limits may end. kUnlimited without any.
  [[nodiscard]] static Duration interval(const ListenerSettings& settings);

  // `sent` bytes of the connection have been taken by the kernel, `queued` of them by the client
  // not yet. The answer is how long it has been so at least; 0 when either has changed.
  [[nodiscard]] Duration stuck_for(std::uint64_t sent, int queued, TimePoint now);
  // The same, with what the kernel tells of the socket.
  [[nodiscard]] Duration stuck_for_now(int socket, std::uint64_t sent, TimePoint now);

 private:
  std::uint64_t sent_ = 0;
  int queued_ = -1;  // not looked yet
  TimePoint since_;
};

}  // namespace berth
