#include "serve/admission.hpp"

#include <algorithm>

#include "base/format.hpp"
#include "base/quantities.hpp"
#include "serve/source_counts.hpp"

namespace berth {

namespace {

// At most one line in so long.
constexpr Duration kQuiet = std::chrono::seconds(10);

bool any_contains(const std::vector<Network>& networks, const Peer& peer) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Network& network) { return network.contains(peer); });
}

bool is_allowed(const ListenerSettings& settings, const Peer& peer) {
  if (peer.family() == AF_UNIX) return true;  // the socket's mode has let it in
  if (any_contains(settings.deny, peer)) return false;
  return settings.allow.empty() || any_contains(settings.allow, peer);
}

}  // namespace

std::string describe_denials(std::uint64_t by_address, std::uint64_t per_source) {
  if (by_address == 0 && per_source == 0) return "";
  if (per_source == 0) return formatted("{} denied by address", by_address);
  if (by_address == 0) return formatted("{} denied per source", per_source);
  return formatted("{} denied by address and {} per source", by_address, per_source);
}

bool Admission::restricts(const ListenerSettings& settings) {
  return !settings.allow.empty() || !settings.deny.empty() ||
         settings.max_connections_per_source.connections != 0;
}

Admission::Admission(EventLoop& loop, const SessionContext& sessions, DenialCounters& counters)
    : loop_(loop),
      sessions_(sessions),
      counters_(counters),
      tell_(loop.timers(), [this] { tell_rest(); }) {}

Admission::~Admission() { tell_rest(); }

bool Admission::admits(const Peer& peer) {
  if (!is_allowed(sessions_.settings, peer)) {
    deny(Denial::address, peer);
    return false;
  }
  if (sessions_.sources != nullptr && !sessions_.sources->take(peer)) {
    deny(Denial::source, peer);
    return false;
  }
  return true;
}

void Admission::deny(Denial kind, const Peer& peer) {
  const auto index = static_cast<std::size_t>(kind);
  ++counters_.by_kind[index];
  if (tell_.armed()) {
    ++untold_[index];
    last_ = peer;
    return;
  }
  sessions_.log.warn("connection from {} denied: {}", peer.text(), reason(kind, peer));
  said_ = loop_.now();
  tell_.arm(after(said_, kQuiet));
}

std::string Admission::reason(Denial kind, const Peer& peer) const {
  const ListenerSettings& settings = sessions_.settings;
  switch (kind) {
    case Denial::address:
      return any_contains(settings.deny, peer) ? "its address is in 'deny'"
                                               : "its address is not in 'allow'";
    case Denial::source:
      break;
  }
  return formatted("{} has as many connections as a source may have, {}",
                   sessions_.sources->source_text(peer),
                   settings.max_connections_per_source.connections);
}

void Admission::tell_rest() {
  const std::uint64_t by_address = untold_[static_cast<std::size_t>(Denial::address)];
  const std::uint64_t per_source = untold_[static_cast<std::size_t>(Denial::source)];
  const std::uint64_t count = by_address + per_source;
  if (count == 0) return;
  const auto since = std::chrono::ceil<std::chrono::seconds>(loop_.now() - said_);
  sessions_.log.warn("{} more connection{} denied in the last {} ({}), the last of them from {}",
                     count, count == 1 ? "" : "s", format_duration(since),
                     describe_denials(by_address, per_source), last_.text());
  untold_ = {};
  said_ = loop_.now();
  tell_.arm(after(said_, kQuiet));
}

}  // namespace berth
