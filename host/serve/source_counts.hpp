// A worker's part in counting the connections of each source: its column of the listener's table,
// and what makes an address the address of a source. One per worker with such a limit.
#pragma once

#include <mutex>

#include "net/address.hpp"
#include "serve/listener_settings.hpp"
#include "serve/source_table.hpp"

namespace berth {

class SourceCounts {
 public:
  // The table outlives it.
  SourceCounts(SourceTable& table, unsigned worker, const SourceLimit& limit)
      : table_(table), worker_(worker), limit_(limit) {}

  // Whether its source may have one more connection, which then counts until give_back(). What is
  // no IP address is of no source, and may.
  [[nodiscard]] bool take(const Peer& peer);
  // From any thread.
  void give_back(const Peer& peer);

  // "192.0.2.7", "2001:db8::/64"
  [[nodiscard]] std::string source_text(const Peer& peer) const;

 private:
  [[nodiscard]] unsigned prefix_for(const Peer& peer) const;

  SourceTable& table_;
  const unsigned worker_;
  const SourceLimit limit_;
  std::mutex mutex_;  // one thread at a time, as the table wants it
};

}  // namespace berth
