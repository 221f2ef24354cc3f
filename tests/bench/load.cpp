#include "load.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <random>

#include "churn.hpp"
#include "datagrams.hpp"
#include "stream.hpp"

namespace berth::bench {
namespace {

// Noise without end, made once: a message is a stretch of it, another for each connection and each
// message, so that a reply to someone else or to something earlier never looks right, and neither
// sending nor comparing has to make anything up. The first part stands again behind the period, so
// that every stretch lies in one piece.
//
// It comes in lines of 64 bytes, the shortest message, since some servers work by lines.
constexpr std::size_t kPeriod = 256 * 1024;
constexpr std::size_t kLongestStretch = kMostOutstandingBytes;
constexpr std::size_t kLine = 64;

std::vector<char> make_noise() {
  std::vector<char> noise(kPeriod + kLongestStretch);
  std::mt19937 random(50007);
  for (std::size_t i = 0; i < kPeriod; ++i) {
    do noise[i] = static_cast<char>(random());
    while (noise[i] == '\n');
    if (i % kLine == kLine - 1) noise[i] = '\n';
  }
  for (std::size_t i = kPeriod; i < noise.size(); ++i) noise[i] = noise[i - kPeriod];
  return noise;
}

constexpr auto kDrainLimit = std::chrono::seconds(5);

}  // namespace

Load::Load(const Destination& destination)
    : destination_(destination), poller_(epoll_create1(EPOLL_CLOEXEC)), buffer_(kLongestStretch) {
  if (!poller_) throw system_failure("epoll_create1");
}

Tally Load::run(const Span& span) {
  stopping_ = false;
  limit_ = span.limit;
  asked_ = answered_ = lost_ = 0;
  const TimePoint timed_from = Clock::now() + span.warm_up;
  TimePoint begun{}, end = kNever, give_up = kNever;
  Tally tally;
  std::uint64_t before = 0;
  start();
  for (bool timing = false;;) {
    const TimePoint now = Clock::now();
    if (!timing && now >= timed_from) {
      timing = true;
      begun = now;
      end = after(now, span.timed);
      before = answered_;
    }
    if (!stopping_ && (now >= end || lost_ > 0 || answered_ == limit_)) {
      stopping_ = true;
      give_up = now + kDrainLimit;
      tally.timed_messages = answered_ - before;
      tally.timed_seconds = std::chrono::duration<double>(now - begun).count();
    }
    const std::uint64_t due = asked_ - answered_ - lost_;
    if (stopping_ && due == 0) break;
    if (now >= give_up) count_lost(due, "no answer in time");
    wait_and_handle();
  }
  if (lost_ > 0) {
    throw Failure(std::to_string(lost_) + " of " + std::to_string(asked_) +
                  " replies lost, the first: " + first_loss_);
  }
  tally.messages = answered_;
  return tally;
}

void Load::wait_and_handle() {
  constexpr int kLongestWaitMs = 10;  // a stalled server must not stretch a round
  std::array<epoll_event, 256> events;
  const int count = epoll_wait(poller_.get(), events.data(), events.size(), kLongestWaitMs);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    handle(event.data.u32, event.events);
  }
}

Fd Load::open_socket(std::uint32_t number) const {
  // 32 addresses with 28,000 ports each last for 15,000 connections a second to one server on the
  // average, also where the kernel does not take ports back from TIME_WAIT early (tcp_tw_reuse).
  constexpr std::uint32_t kFirstSource = 0x7f000101;  // 127.0.1.1
  constexpr std::uint32_t kSources = 32;
  const int type = destination_.transport == Transport::udp ? SOCK_DGRAM : SOCK_STREAM;
  Fd made(socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!made) throw system_failure("socket");
  const int on = 1;  // the port is chosen by connect, per destination, and not by bind for all
  setsockopt(made.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(kFirstSource + number % kSources);
  if (bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw system_failure("bind to a source address");
  }
  return made;
}

bool Load::connect_to_server(int socket) const {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(destination_.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return true;
  if (errno == EINPROGRESS) return false;
  throw system_failure("connect");
}

std::unique_ptr<Channel> Load::channel_on(Fd socket) const {
  if (destination_.tls != nullptr) return destination_.tls->client_on(std::move(socket));
  return std::make_unique<Channel>(std::move(socket));
}

void Load::watch(int socket, std::uint32_t events, std::uint32_t slot, bool again) const {
  epoll_event event{};
  event.events = events;
  event.data.u32 = slot;
  if (epoll_ctl(poller_.get(), again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event) != 0) {
    throw system_failure("epoll_ctl");
  }
}

const char* Load::pattern(std::uint32_t slot, std::uint64_t position) {
  static const std::vector<char> noise = make_noise();
  constexpr std::uint64_t kApart = 127 * kLine;  // odd, so that they start all over the period
  return noise.data() + (slot * kApart + position) % kPeriod;
}

void Load::verify(std::uint32_t slot, std::uint64_t position, std::size_t size) const {
  const char* expected = pattern(slot, position);
  if (std::memcmp(buffer_.data(), expected, size) == 0) return;
  std::size_t at = 0;
  while (buffer_[at] == expected[at]) ++at;
  throw Failure("wrong byte received: " + name_of(slot) + ", byte " +
                std::to_string(position + at));
}

void Load::count_lost(std::uint64_t messages, const std::string& why) {
  if (first_loss_.empty()) first_loss_ = why;
  lost_ += messages;
}

std::unique_ptr<Load> make_load(const Workload& workload, const Destination& destination) {
  if (workload.transport == Transport::udp) {
    return std::make_unique<Datagrams>(workload, destination);
  }
  if (workload.kind->kind == Kind::churn) return std::make_unique<Churn>(workload, destination);
  return std::make_unique<Stream>(workload, destination);
}

}  // namespace berth::bench
