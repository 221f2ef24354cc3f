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

bool SelectDemultiplexer::take_place(int fd, Slot slot) {
  if (fd >= end_of_range()) {
    errno = EMFILE;
    return false;
  }
  slots_[static_cast<std::size_t>(fd)] = slot;
  if (fd >= end_) end_ = fd + 1;
  return true;
}

bool SelectDemultiplexer::add(int fd, Watcher& watcher) {
  if (!take_place(fd, {.watcher = &watcher})) return false;
  FD_SET(fd, &read_);
  return true;
}

bool SelectDemultiplexer::add(Stream& stream) {
  stream.state = 0;
  return take_place(stream.socket(), {.stream = &stream});
}

void SelectDemultiplexer::remove(int fd) {
  for (fd_set* set : {&read_, &write_, &readable_, &writable_}) FD_CLR(fd, set);
  slots_[static_cast<std::size_t>(fd)] = {};
  const auto is_free = [this](int place) {
    const Slot& slot = slots_[static_cast<std::size_t>(place)];
    return slot.watcher == nullptr && slot.stream == nullptr;
  };
  while (end_ > 0 && is_free(end_ - 1)) --end_;
}

void SelectDemultiplexer::set_active(int fd, bool active) {
  active ? FD_SET(fd, &read_) : FD_CLR(fd, &read_);
}

void SelectDemultiplexer::want_room(Stream& stream, bool wanted) {
  wanted ? FD_SET(stream.socket(), &write_) : FD_CLR(stream.socket(), &write_);
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
    for (; both != 0; both &= both - 1) tell(index * kWordBits + std::countr_zero(both));
  }
}

void SelectDemultiplexer::tell(int fd) {
  // Looked up now, not before: an earlier call of this turn may have removed it, and the number may
  // be another's by now.
  const bool readable = FD_ISSET(fd, &readable_), writable = FD_ISSET(fd, &writable_);
  if (!readable && !writable) return;
  const Slot slot = slots_[static_cast<std::size_t>(fd)];
  if (slot.watcher != nullptr) return slot.watcher->on_ready();
  // Told once; whoever waits for more says so, and a stream that does not read costs no turn.
  if (readable) FD_CLR(fd, &read_);
  if (writable) FD_CLR(fd, &write_);
  ReadinessDemultiplexer::tell(*slot.stream, readable, writable, false);
}

}  // namespace berth
