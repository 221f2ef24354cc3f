#include "serve/source_table.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <new>
#include <system_error>

namespace berth {

// Counts are atomic since a reader may come without the lock: see Lock.
struct SourceTable::Entry {
  std::atomic<std::uint64_t> high, low;
  std::atomic<std::uint32_t> count;  // 0: a free place
};

struct SourceTable::Head {
  pthread_mutex_t mutex;
};

// Held while sources are counted. Who waits for it too long does without: a worker that was stopped
// (SIGSTOP) just here would else hold all others up. Without it no source gets more than it may,
// as each counts itself before it looks at the others; only two at once may then both be refused.
class SourceTable::Lock {
 public:
  explicit Lock(Head& head) : mutex_(head.mutex) {
    timespec until{};
    int error = ::pthread_mutex_trylock(&mutex_);
    if (error == EBUSY) {
      (void)::clock_gettime(CLOCK_MONOTONIC, &until);
      until.tv_nsec += kPatience;
      until.tv_sec += until.tv_nsec / kSecond;
      until.tv_nsec %= kSecond;
      error = ::pthread_mutex_clocklock(&mutex_, CLOCK_MONOTONIC, &until);
    }
    // What a dead worker has left undone lies in its own column, which will be emptied.
    if (error == EOWNERDEAD) error = ::pthread_mutex_consistent(&mutex_);
    held_ = error == 0;
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() {
    if (held_) (void)::pthread_mutex_unlock(&mutex_);
  }

 private:
  static constexpr long kSecond = 1'000'000'000;
  static constexpr long kPatience = 5'000'000;  // nanoseconds

  pthread_mutex_t& mutex_;
  bool held_ = false;
};

namespace {

std::size_t whole_pages(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

std::uint64_t mixed(std::uint64_t value) {  // the finalizer of SplitMix64
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace

SourceTable::SourceTable(unsigned workers, std::uint32_t connections)
    : workers_(workers),
      // At most half full, one more than there may be included.
      capacity_(std::bit_ceil(2 * (std::size_t{connections} + 1))),
      column_bytes_(whole_pages(capacity_ * sizeof(Entry))) {
  const std::size_t head = whole_pages(sizeof(Head));
  void* const memory = ::mmap(nullptr, head + workers_ * column_bytes_, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  if (::getrandom(&seed_, sizeof seed_, 0) != sizeof seed_) seed_ = 0x9e3779b97f4a7c15;
  head_ = new (memory) Head;
  columns_ = static_cast<std::byte*>(memory) + head;
  pthread_mutexattr_t attributes;
  ::pthread_mutexattr_init(&attributes);
  ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  ::pthread_mutex_init(&head_->mutex, &attributes);
  ::pthread_mutexattr_destroy(&attributes);
}

SourceTable::~SourceTable() {
  ::munmap(head_, whole_pages(sizeof(Head)) + workers_ * column_bytes_);
}

bool SourceTable::add(unsigned worker, const AddressBits& source, std::uint32_t most) {
  const Key key = std::bit_cast<Key>(source);
  const Lock lock(*head_);
  add_entry(worker, key);
  if (count(key) <= most) return true;
  remove_entry(worker, key);
  return false;
}

void SourceTable::remove(unsigned worker, const AddressBits& source) {
  const Lock lock(*head_);
  remove_entry(worker, std::bit_cast<Key>(source));
}

// The pages are given back to the kernel, which gives zeros when they are next used.
void SourceTable::clear(unsigned worker) {
  void* const entries = column(worker);
  if (::madvise(entries, column_bytes_, MADV_REMOVE) != 0) std::memset(entries, 0, column_bytes_);
}

SourceTable::Entry* SourceTable::column(unsigned worker) const {
  return reinterpret_cast<Entry*>(columns_ + worker * column_bytes_);
}

std::size_t SourceTable::place_of(const Key& key) const {
  return mixed(mixed(key.high ^ seed_) ^ key.low) & (capacity_ - 1);
}

// The entry of that key, or the free place where it would be; null where there is neither, which
// only a column left in disorder can bring about.
SourceTable::Entry* SourceTable::find(unsigned worker, const Key& key) const {
  Entry* const entries = column(worker);
  std::size_t place = place_of(key);
  for (std::size_t tries = 0; tries < capacity_; ++tries) {
    Entry& entry = entries[place];
    if (entry.count == 0 || (entry.high == key.high && entry.low == key.low)) return &entry;
    place = (place + 1) & (capacity_ - 1);
  }
  return nullptr;
}

std::uint64_t SourceTable::count(const Key& key) const {
  std::uint64_t sum = 0;
  for (unsigned worker = 0; worker < workers_; ++worker) {
    if (const Entry* const entry = find(worker, key)) sum += entry->count;
  }
  return sum;
}

void SourceTable::add_entry(unsigned worker, const Key& key) {
  Entry* const entry = find(worker, key);
  if (entry == nullptr) return;
  if (entry->count == 0) {
    entry->high = key.high;
    entry->low = key.low;
  }
  ++entry->count;
}

void SourceTable::remove_entry(unsigned worker, const Key& key) {
  Entry* const entry = find(worker, key);
  if (entry == nullptr || entry->count == 0) return;
  if (--entry->count == 0) {
    Entry* const entries = column(worker);
    close_gap(entries, static_cast<std::size_t>(entry - entries));
  }
}

// Moves up those behind a place that has become free which could not be found across it.
void SourceTable::close_gap(Entry* entries, std::size_t gap) const {
  const std::size_t last = capacity_ - 1;
  for (std::size_t next = (gap + 1) & last; entries[next].count != 0; next = (next + 1) & last) {
    const std::size_t wanted = place_of({entries[next].high, entries[next].low});
    const bool found_across = ((next - wanted) & last) < ((next - gap) & last);
    if (found_across) continue;
    entries[gap].high = entries[next].high.load();
    entries[gap].low = entries[next].low.load();
    entries[gap].count = entries[next].count.load();
    entries[next].count = 0;
    gap = next;
  }
}

}  // namespace berth
