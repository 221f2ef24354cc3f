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

int EpollDemultiplexer::control(int action, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  const std::uint64_t generation = slots_[static_cast<std::size_t>(fd)].generation;
  event.data.u64 = generation << 32 | static_cast<std::uint32_t>(fd);
  return ::epoll_ctl(epoll_.get(), action, fd, &event);
}

bool EpollDemultiplexer::register_anew(int fd, void* who, bool is_stream, std::uint32_t events) {
  const auto index = static_cast<std::size_t>(fd);
  if (index >= slots_.size()) slots_.resize(index + 1);
  Slot& slot = slots_[index];
  ++slot.generation;
  slot.is_stream = is_stream;
  if (control(EPOLL_CTL_ADD, fd, events) < 0) return false;
  slot.who = who;
  return true;
}

bool EpollDemultiplexer::add(int fd, Watcher& watcher) {
  return register_anew(fd, &watcher, false, EPOLLIN);
}

void EpollDemultiplexer::remove(int fd) {
  slots_[static_cast<std::size_t>(fd)].who = nullptr;
  (void)control(EPOLL_CTL_DEL, fd, 0);
}

void EpollDemultiplexer::set_active(int fd, bool active) {
  // Errors and hang-ups are reported whatever is asked for (man 2 epoll_ctl): by edge only, an
  // inactive descriptor does not keep the loop awake by them.
  (void)control(EPOLL_CTL_MOD, fd, active ? EPOLLIN : EPOLLET);
}

bool EpollDemultiplexer::add(Stream& stream) {
  stream.state = 0;
  return register_anew(stream.socket(), &stream, true,
                       EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

// Closing the socket ends its registration, unless a process that a handler has forked still has a
// copy; what is told of it then meets a slot without a stream, or of a later generation.
void EpollDemultiplexer::remove(Stream& stream) {
  slots_[static_cast<std::size_t>(stream.socket())].who = nullptr;
}

void EpollDemultiplexer::wait(Duration timeout) {
  count_ = ::epoll_wait(epoll_.get(), events_.data(), kBatch, milliseconds(timeout));
}

void EpollDemultiplexer::dispatch() {
  for (int i = 0; i < count_; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    const Slot& slot = slots_[static_cast<std::uint32_t>(event.data.u64)];
    if (slot.who == nullptr || slot.generation != event.data.u64 >> 32) continue;
    if (!slot.is_stream) {
      static_cast<Watcher*>(slot.who)->on_ready();
      continue;
    }
    constexpr auto kBroken = EPOLLERR | EPOLLHUP;
    constexpr auto kUnusual = EPOLLRDHUP | EPOLLPRI | kBroken;
    const std::uint32_t told = event.events;
    tell(*static_cast<Stream*>(slot.who), (told & (EPOLLIN | kUnusual)) != 0,
         (told & (EPOLLOUT | kBroken)) != 0, (told & kUnusual) != 0);
  }
  count_ = 0;
}

}  // namespace berth
