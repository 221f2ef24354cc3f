#include "load.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <system_error>

#include "wait_for.hpp"

namespace e2e {

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// One connection. It sends its stream of bytes in steps: the next when the last has come back.
struct Conversation {
  enum class Stage { idle, connecting, talking, resting, closing };
  Stage stage = Stage::idle;
  int socket = -1;
  bool is_short = true;
  std::uint64_t number = 0;  // of all there were: no two have the same bytes
  std::size_t step = 0;      // bytes
  std::uint64_t steps_left = 0;
  std::uint64_t asked = 0;  // bytes of the stream that are to be sent by now
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  Clock::time_point begun;
  Clock::time_point moved;
  Clock::time_point rests_until;
};

char byte_at(const Conversation& of, std::uint64_t position) {
  return static_cast<char>(of.number * 31 + position * 7 + (position >> 6U) * 3);
}

}  // namespace

class Load::Loop {
 public:
  Loop(Load& load, LoadTarget target, LoadPlan plan);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();
  void run();

 private:
  void fill_up();
  void open(Conversation& it);
  void on_event(Conversation& it);
  void begin_step(Conversation& it);
  void send_more(Conversation& it);
  void receive(Conversation& it);
  void on_step_back(Conversation& it);
  void look_around();
  void lose(Conversation& it, std::uint64_t LoadTally::*how, const std::string& why);
  void over(Conversation& it);
  void watch(Conversation& it, std::uint32_t events, int action) const;
  [[nodiscard]] bool all_idle() const;
  [[nodiscard]] bool ending() const { return load_.finishing_ || short_ones_ == plan_.connections; }

  Load& load_;
  LoadTarget target_;
  LoadPlan plan_;
  int poller_;
  std::deque<Conversation> all_;  // those that are idle can be opened anew
  std::uint64_t opened_ = 0;
  std::uint64_t short_ones_ = 0;
  Clock::time_point looked_around_ = Clock::now();
};

Load::Loop::Loop(Load& load, LoadTarget target, LoadPlan plan)
    : load_(load), target_(target), plan_(plan), poller_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (poller_ < 0) fail("epoll_create1");
  all_.resize(plan.at_once + plan.long_lived);
  for (std::size_t i = plan.at_once; i < all_.size(); ++i) all_[i].is_short = false;
  load_.tally_.microseconds.reserve(plan.connections);
}

Load::Loop::~Loop() {
  for (const auto& it : all_) {
    if (it.socket >= 0) ::close(it.socket);
  }
  ::close(poller_);
}

void Load::Loop::run() {
  std::array<epoll_event, 256> events;
  constexpr int kTurnMs = 2;  // the longest that a rest goes unnoticed
  while (!load_.giving_up_) {
    fill_up();
    if (all_idle()) return;
    const int count = ::epoll_wait(poller_, events.data(), events.size(), kTurnMs);
    for (int i = 0; i < count; ++i) {
      on_event(*static_cast<Conversation*>(events[static_cast<std::size_t>(i)].data.ptr));
    }
    look_around();
  }
}

bool Load::Loop::all_idle() const {
  return std::all_of(all_.begin(), all_.end(),
                     [](const auto& it) { return it.stage == Conversation::Stage::idle; });
}

void Load::Loop::fill_up() {
  for (auto& it : all_) {
    if (it.stage != Conversation::Stage::idle) continue;
    if (ending()) return;
    if (it.is_short) ++short_ones_;
    open(it);
  }
}

void Load::Loop::open(Conversation& it) {
  // As many ports as connections need that wait for the end of TIME_WAIT on this side: from 32
  // addresses of the loopback. The port is chosen by connect(2), for each destination alone.
  constexpr std::uint32_t kFirstSource = 0x7f000101;  // 127.0.1.1
  constexpr std::uint32_t kSources = 32;
  const bool is_short = it.is_short;
  it = Conversation{};
  it.is_short = is_short;
  it.number = opened_++;
  it.step = is_short ? plan_.message : std::max<std::size_t>(1, plan_.message / 2);
  it.steps_left = is_short ? 1 : 2 * plan_.exchanges;
  it.begun = it.moved = Clock::now();
  it.stage = Conversation::Stage::connecting;
  it.socket = ::socket(target_.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (it.socket < 0) fail("cannot make a socket");
  if (target_.address.ss_family == AF_INET) {
    const int on = 1;
    ::setsockopt(it.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(it.socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    sockaddr_in source{};
    source.sin_family = AF_INET;
    source.sin_addr.s_addr = htonl(kFirstSource + static_cast<std::uint32_t>(it.number) % kSources);
    if (::bind(it.socket, reinterpret_cast<sockaddr*>(&source), sizeof source) != 0) fail("bind");
  }
  if (::connect(it.socket, reinterpret_cast<sockaddr*>(&target_.address), target_.size) != 0 &&
      errno != EINPROGRESS) {
    if (errno == EADDRNOTAVAIL) fail("no port is left to connect from");
    return lose(it, &LoadTally::refused, std::strerror(errno));
  }
  watch(it, EPOLLOUT, EPOLL_CTL_ADD);
}

void Load::Loop::watch(Conversation& it, std::uint32_t events, int action) const {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &it;
  if (::epoll_ctl(poller_, action, it.socket, &event) != 0) fail("epoll_ctl");
}

void Load::Loop::on_event(Conversation& it) {
  switch (it.stage) {
    case Conversation::Stage::idle:
      return;
    case Conversation::Stage::connecting: {
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(it.socket, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) return lose(it, &LoadTally::refused, std::strerror(error));
      return begin_step(it);
    }
    case Conversation::Stage::talking:
      if (it.sent < it.asked) send_more(it);
      if (it.stage == Conversation::Stage::talking) receive(it);
      return;
    case Conversation::Stage::resting:
    case Conversation::Stage::closing:
      return receive(it);
  }
}

void Load::Loop::begin_step(Conversation& it) {
  --it.steps_left;
  it.asked += it.step;
  it.stage = Conversation::Stage::talking;
  watch(it, EPOLLIN, EPOLL_CTL_MOD);
  send_more(it);
}

void Load::Loop::send_more(Conversation& it) {
  std::array<char, 65536> bytes;
  const std::size_t size = std::min<std::uint64_t>(bytes.size(), it.asked - it.sent);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = byte_at(it, it.sent + i);
  const ssize_t taken = ::send(it.socket, bytes.data(), size, MSG_NOSIGNAL);
  if (taken > 0) it.sent += static_cast<std::uint64_t>(taken);
  if (taken < 0 && errno != EAGAIN) return lose(it, &LoadTally::cut, std::strerror(errno));
  watch(it, it.sent < it.asked ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
}

void Load::Loop::receive(Conversation& it) {
  std::array<char, 65536> bytes;
  const ssize_t count = ::recv(it.socket, bytes.data(), bytes.size(), 0);
  if (count < 0) {
    if (errno != EAGAIN) lose(it, &LoadTally::cut, std::strerror(errno));
    return;
  }
  if (count == 0) {
    if (it.stage != Conversation::Stage::closing) {
      return lose(it, &LoadTally::cut, "the stream ended early");
    }
    ++load_.tally_.whole;
    return over(it);
  }
  it.moved = Clock::now();
  if (it.received == 0) ++load_.answered_;
  const auto size = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < size; ++i, ++it.received) {
    if (it.received == it.sent) return lose(it, &LoadTally::wrong, "more came than was sent");
    if (bytes[i] != byte_at(it, it.received)) return lose(it, &LoadTally::wrong, "another byte");
  }
  if (it.received == it.asked) on_step_back(it);
}

void Load::Loop::on_step_back(Conversation& it) {
  if (it.is_short || it.steps_left % 2 == 0) ++load_.tally_.exchanges;
  if (it.steps_left > 0 && !(ending() && it.steps_left % 2 == 0)) {
    it.stage = Conversation::Stage::resting;
    it.rests_until = it.moved + plan_.rest;
    return;
  }
  if (it.is_short) {
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(it.moved - it.begun);
    load_.tally_.microseconds.push_back(static_cast<std::uint32_t>(took.count()));
  }
  it.stage = Conversation::Stage::closing;
  ::shutdown(it.socket, SHUT_WR);
}

// Whoever has rested goes on, and whoever has waited for too long is given up.
void Load::Loop::look_around() {
  const auto now = Clock::now();
  if (now - looked_around_ < std::chrono::milliseconds(1)) return;
  looked_around_ = now;
  for (auto& it : all_) {
    if (it.stage == Conversation::Stage::resting) {
      if (now >= it.rests_until) begin_step(it);
    } else if (it.stage != Conversation::Stage::idle && now - it.moved > kPatience) {
      lose(it, &LoadTally::late, "no answer in time");
    }
  }
}

void Load::Loop::lose(Conversation& it, std::uint64_t LoadTally::*how, const std::string& why) {
  auto& tally = load_.tally_;
  ++(tally.*how);
  if (tally.first_loss.empty()) {
    tally.first_loss = std::string(it.is_short ? "short" : "long-lived") + " connection " +
                       std::to_string(it.number) + ", byte " + std::to_string(it.received) + ": " +
                       why;
  }
  over(it);
}

void Load::Loop::over(Conversation& it) {
  ::close(it.socket);
  it.socket = -1;
  it.stage = Conversation::Stage::idle;
  if (it.is_short) ++load_.done_;
}

LoadTarget tcp_target(std::uint16_t port) {
  LoadTarget target;
  auto& address = reinterpret_cast<sockaddr_in&>(target.address);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  target.size = sizeof address;
  return target;
}

std::uint32_t LoadTally::quantile(double share) const {
  if (microseconds.empty()) return 0;
  const auto place = static_cast<std::size_t>(share * static_cast<double>(microseconds.size()));
  return microseconds[std::min(place, microseconds.size() - 1)];
}

Load::Load(LoadTarget target, LoadPlan plan)
    : thread_([this, target, plan] {
        try {
          Loop(*this, target, plan).run();
        } catch (...) {
          failure_ = std::current_exception();
        }
        over_ = true;
      }) {}

Load::~Load() {
  giving_up_ = true;
  if (thread_.joinable()) thread_.join();
}

LoadTally Load::wait() {
  thread_.join();
  if (failure_) std::rethrow_exception(failure_);
  std::sort(tally_.microseconds.begin(), tally_.microseconds.end());
  return tally_;
}

}  // namespace e2e
