// How many connections each source has with all workers of a listener together. The table lies in
// memory that they share, made by the supervisor before it starts them.
//
// Each worker has a column of its own, a hash table that it alone writes and all read; so a worker
// that dies is forgotten by emptying its column, whatever state it has left it in. The supervisor
// does that, and reads nothing here. A lock in the same memory makes adding exact; its holder's
// death frees it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "net/network.hpp"

namespace berth {

class SourceTable {
 public:
  // Room for the sources of `connections` connections with each of `workers`. Memory that is never
  // used costs nothing. Throws std::system_error where there is none.
  SourceTable(unsigned workers, std::uint32_t connections);
  SourceTable(const SourceTable&) = delete;
  SourceTable& operator=(const SourceTable&) = delete;
  ~SourceTable();

  // In a worker, by one of its threads at a time: one more connection of this source, unless it
  // has `most` already; false then.
  [[nodiscard]] bool add(unsigned worker, const AddressBits& source, std::uint32_t most);
  // One that add() has counted is over.
  void remove(unsigned worker, const AddressBits& source);

  // In the supervisor, when a worker is dead: all that it counted is over.
  void clear(unsigned worker);

 private:
  struct Head;
  struct Entry;
  class Lock;
  // What AddressBits look like in memory that is shared.
  struct Key {
    std::uint64_t high, low;
  };

  [[nodiscard]] Entry* column(unsigned worker) const;
  [[nodiscard]] std::size_t place_of(const Key& key) const;
  [[nodiscard]] Entry* find(unsigned worker, const Key& key) const;
  [[nodiscard]] std::uint64_t count(const Key& key) const;
  void add_entry(unsigned worker, const Key& key);
  void remove_entry(unsigned worker, const Key& key);
  void close_gap(Entry* entries, std::size_t gap) const;

  unsigned workers_;
  std::size_t capacity_;      // entries of a column, a power of two
  std::size_t column_bytes_;  // whole pages
  std::uint64_t seed_;        // so that nobody can choose addresses that collide
  Head* head_;
  std::byte* columns_;
};

}  // namespace berth
