#include "serve/source_counts.hpp"

namespace berth {

namespace {

bool is_ip(const Peer& address) {
  return address.family() == AF_INET || address.family() == AF_INET6;
}

}  // namespace

bool SourceCounts::take(const Peer& peer) {
  if (!is_ip(peer)) return true;
  const AddressBits source = leading_bits(bits_of(peer), prefix_for(peer));
  const std::scoped_lock lock(mutex_);
  return table_.add(worker_, source, limit_.connections);
}

void SourceCounts::give_back(const Peer& peer) {
  if (!is_ip(peer)) return;
  const AddressBits source = leading_bits(bits_of(peer), prefix_for(peer));
  const std::scoped_lock lock(mutex_);
  table_.remove(worker_, source);
}

// Of AddressBits, where IPv4 lies behind 96 others.
unsigned SourceCounts::prefix_for(const Peer& peer) const {
  return peer.family() == AF_INET ? 96 + limit_.ipv4_prefix : limit_.ipv6_prefix;
}

std::string SourceCounts::source_text(const Peer& peer) const {
  const bool is_ipv4 = peer.family() == AF_INET;
  const std::string text = Network(peer, is_ipv4 ? limit_.ipv4_prefix : limit_.ipv6_prefix).text();
  const bool is_single = is_ipv4 ? limit_.ipv4_prefix == 32 : limit_.ipv6_prefix == 128;
  return is_single ? text.substr(0, text.find('/')) : text;
}

}  // namespace berth
