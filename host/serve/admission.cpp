#include "serve/admission.hpp"

#include <algorithm>

#include "base/format.hpp"
#include "base/quantities.hpp"
#include "serve/source_counts.hpp"

namespace berth {

namespace {

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
    : sessions_(sessions),
      counters_(counters),
      log_(loop, [this](const RefusalLog::Rest& rest) { tell_rest(rest); }) {}

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
  if (log_.tells_at_once(peer)) {
    return sessions_.log.warn("connection from {} denied: {}", peer.text(), reason(kind, peer));
  }
  ++untold_[index];
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

void Admission::tell_rest(const RefusalLog::Rest& rest) {
  const std::uint64_t by_address = untold_[static_cast<std::size_t>(Denial::address)];
  const std::uint64_t per_source = untold_[static_cast<std::size_t>(Denial::source)];
  sessions_.log.warn("{} more connection{} denied in the last {} ({}), the last of them from {}",
                     rest.count, rest.count == 1 ? "" : "s", format_duration(rest.within),
                     describe_denials(by_address, per_source), rest.last.text());
  untold_ = {};
}

}  // namespace berth
