#include "serve/select_demultiplexer.hpp"

#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace berth {

namespace {

using Word = std::uint64_t;
constexpr int kWordBits = 64;
static_assert(sizeof(fd_set) * 8 == FD_SETSIZE && FD_SETSIZE % kWordBits == 0);

// The bits of 64 descriptors at once: an fd_set is an array of words on Linux, and looking at a
// word skips all the idle descriptors in it.
Word word_of(const fd_set& set, int index) {
  Word word;
  std::memcpy(&word, reinterpret_cast<const char*>(&set) + index * int{sizeof word}, sizeof word);
  return word;
}

}  // namespace

SelectDemultiplexer::SelectDemultiplexer() {
  FD_ZERO(&read_);
  FD_ZERO(&write_);
  FD_ZERO(&readable_);
  FD_ZERO(&writable_);
}

bool SelectDemultiplexer::add(int fd, Watcher& watcher, Interest interest) {
  if (fd >= end_of_range()) {
    errno = EMFILE;
    return false;
  }
  watchers_[static_cast<std::size_t>(fd)] = &watcher;
  if (fd >= end_) end_ = fd + 1;
  set_interest(fd, interest);
  return true;
}

void SelectDemultiplexer::set_interest(int fd, Interest interest) {
  interest.read ? FD_SET(fd, &read_) : FD_CLR(fd, &read_);
  interest.write ? FD_SET(fd, &write_) : FD_CLR(fd, &write_);
}

void SelectDemultiplexer::remove(int fd) {
  set_interest(fd, {});
  FD_CLR(fd, &readable_);
  FD_CLR(fd, &writable_);
  watchers_[static_cast<std::size_t>(fd)] = nullptr;
  while (end_ > 0 && watchers_[static_cast<std::size_t>(end_ - 1)] == nullptr) --end_;
}

void SelectDemultiplexer::wait(Duration timeout) {
  readable_ = read_;
  writable_ = write_;
  timespec limit{};
  if (timeout != kUnlimited) {
    limit.tv_sec = static_cast<time_t>(timeout.count() / 1'000'000'000);
    limit.tv_nsec = static_cast<long>(timeout.count() % 1'000'000'000);
  }
  const int ready = ::pselect(end_, &readable_, &writable_, nullptr,
                              timeout == kUnlimited ? nullptr : &limit, nullptr);
  if (ready > 0) return;
  FD_ZERO(&readable_);
  FD_ZERO(&writable_);
}

void SelectDemultiplexer::dispatch() {
  const int words = (end_ + kWordBits - 1) / kWordBits;
  for (int index = 0; index < words; ++index) {
    Word both = word_of(readable_, index) | word_of(writable_, index);
    for (; both != 0; both &= both - 1) {
      const int fd = index * kWordBits + std::countr_zero(both);
      // Looked up now, not before: an earlier call of this turn may have removed it, and the number
      // may be another watcher's by now.
      const bool readable = FD_ISSET(fd, &readable_), writable = FD_ISSET(fd, &writable_);
      if (!readable && !writable) continue;
      watchers_[static_cast<std::size_t>(fd)]->on_ready(readable, writable);
    }
  }
}

}  // namespace berth
