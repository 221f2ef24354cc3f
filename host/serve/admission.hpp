// Who is let in: asked about every new connection of a listener that restricts it, in the one
// accept path of all models. What is denied is closed at once, counted by its kind, and told to the
// log: the first at once, then in one line for all in a while. Lives in the worker, beside the
// acceptor.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "serve/event_loop.hpp"
#include "serve/refusal_log.hpp"
#include "serve/session_context.hpp"

namespace berth {

// Why a connection is denied.
enum class Denial : std::uint8_t {
  address,  // not in `allow`, or in `deny`
  source,   // its source has max_connections_per_source
};
constexpr std::size_t kDenialKinds = 2;

// How many were, by kind. In memory that the supervisor reads, only to show it.
struct DenialCounters {
  std::array<std::atomic<std::uint64_t>, kDenialKinds> by_kind{};

  [[nodiscard]] std::uint64_t of(Denial kind) const {
    return by_kind[static_cast<std::size_t>(kind)];
  }
  void clear() {
    for (auto& count : by_kind) count = 0;
  }
};

// "3 denied by address and 2 per source"; empty where none was.
[[nodiscard]] std::string describe_denials(std::uint64_t by_address, std::uint64_t per_source);

class Admission {
 public:
  // Whether a listener needs one.
  [[nodiscard]] static bool restricts(const ListenerSettings& settings);

  // All of it outlives this.
  Admission(EventLoop& loop, const SessionContext& sessions, DenialCounters& counters);

  // Whether the connection may be served. It then counts for its source until
  // SessionContext::give_back().
  [[nodiscard]] bool admits(const Peer& peer);
  // One that was admitted has come to nothing.
  void withdraw(const Peer& peer) { sessions_.give_back(peer); }

 private:
  void deny(Denial kind, const Peer& peer);
  [[nodiscard]] std::string reason(Denial kind, const Peer& peer) const;
  void tell_rest(const RefusalLog::Rest& rest);

  const SessionContext& sessions_;
  DenialCounters& counters_;
  std::array<std::uint64_t, kDenialKinds> untold_{};  // of the log's rest
  RefusalLog log_;
};

}  // namespace berth
