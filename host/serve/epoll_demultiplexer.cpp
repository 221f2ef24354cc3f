#include "serve/epoll_demultiplexer.hpp"

#include <cerrno>
#include <climits>
#include <system_error>

namespace berth {

namespace {

// Rounded up, so that a timer is due when the wait for it ends.
int milliseconds(Duration timeout) {
  if (timeout == kUnlimited) return -1;
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  return rounded > INT_MAX ? INT_MAX : static_cast<int>(rounded);
}

}  // namespace

EpollDemultiplexer::EpollDemultiplexer() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

int EpollDemultiplexer::end_of_range() const { return INT_MAX; }

int EpollDemultiplexer::control(int action, int fd, Interest interest) {
  epoll_event event{};
  event.events = (interest.read ? EPOLLIN | EPOLLRDHUP : 0u) | (interest.write ? EPOLLOUT : 0u);
  const std::uint64_t generation = slots_[static_cast<std::size_t>(fd)].generation;
  event.data.u64 = generation << 32 | static_cast<std::uint32_t>(fd);
  return ::epoll_ctl(epoll_.get(), action, fd, &event);
}

bool EpollDemultiplexer::add(int fd, Watcher& watcher, Interest interest) {
  const auto index = static_cast<std::size_t>(fd);
  if (index >= slots_.size()) slots_.resize(index + 1);
  ++slots_[index].generation;
  if (control(EPOLL_CTL_ADD, fd, interest) < 0) return false;
  slots_[index].watcher = &watcher;
  return true;
}

void EpollDemultiplexer::set_interest(int fd, Interest interest) {
  (void)control(EPOLL_CTL_MOD, fd, interest);
}

void EpollDemultiplexer::remove(int fd) {
  slots_[static_cast<std::size_t>(fd)].watcher = nullptr;
  (void)control(EPOLL_CTL_DEL, fd, {});
}

void EpollDemultiplexer::wait(Duration timeout) {
  count_ = ::epoll_wait(epoll_.get(), events_.data(), kBatch, milliseconds(timeout));
}

void EpollDemultiplexer::dispatch() {
  for (int i = 0; i < count_; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    const Slot& slot = slots_[static_cast<std::uint32_t>(event.data.u64)];
    if (slot.watcher == nullptr || slot.generation != event.data.u64 >> 32) continue;
    constexpr auto kBroken = EPOLLERR | EPOLLHUP;
    slot.watcher->on_ready((event.events & (EPOLLIN | EPOLLRDHUP | kBroken)) != 0,
                           (event.events & (EPOLLOUT | kBroken)) != 0);
  }
  count_ = 0;
}

}  // namespace berth
