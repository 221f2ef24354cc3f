#include "serve/datagram_outbox.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "net/datagram.hpp"
#include "serve/stream.hpp"

namespace berth {

namespace {

// Sent by one system call at most.
constexpr std::size_t kSentAtOnce = 64;

}  // namespace

DatagramOutbox::DatagramOutbox(EventLoop& loop, int socket, bool is_unix)
    : loop_(loop), socket_(socket), is_unix_(is_unix), retry_(loop.timers(), [this] { flush(); }) {}

DatagramOutbox::~DatagramOutbox() {
  if (at_turn_end_) loop_.forget_turn_end(*this);
}

void DatagramOutbox::send(OutgoingDatagram& datagram) {
  waiting_.push_back({&datagram, kNotYet});
  if (at_turn_end_) return;
  loop_.at_turn_end(*this);
  at_turn_end_ = true;
}

void DatagramOutbox::cancel(const OutgoingDatagram& datagram) {
  for (Waiting& each : waiting_) {
    if (each.datagram == &datagram) each.datagram = nullptr;
  }
}

void DatagramOutbox::on_turn_end() {
  at_turn_end_ = false;
  flush();
}

void DatagramOutbox::flush() {
  // The last session to be told may be the last to hold the socket, and this with it.
  const auto self = shared_from_this();
  const std::size_t count = waiting_.size();  // what is sent by those who are told waits its turn
  send_first(count);
  tell_first(count);
  std::erase_if(waiting_, [](const Waiting& each) { return each.datagram == nullptr; });
}

void DatagramOutbox::send_first(std::size_t count) {
  bool blocked = false, moved = false;
  for (std::size_t at = 0; at < count;) {
    const std::size_t sent = send_some(at, std::min(count, at + kSentAtOnce));
    moved = moved || sent > 0;
    at += sent;
    if (sent > 0) continue;
    // The one in front stays. Where it waits for its own receiver, the others need not.
    blocked = true;
    if (!is_unix_) break;
    ++at;
  }
  if (moved) next_retry_ = kFirstRetry;
  if (!blocked) return retry_.disarm();
  retry_.arm(after(loop_.now(), next_retry_));
  next_retry_ = std::min(2 * next_retry_, kLastRetry);
}

// So many from `begin` on are through, be it by a failure of their own; 0: the first must wait.
std::size_t DatagramOutbox::send_some(std::size_t begin, std::size_t end) {
  if (waiting_[begin].datagram == nullptr) return 1;  // that one is cancelled
  if (end - begin > 1) {
    const std::size_t sent = send_batch(begin, end);
    if (sent > 0) return sent;
  }
  const ssize_t result = send_datagram(socket_, waiting_[begin].datagram->message);
  if (result == -EAGAIN || result == -ENOBUFS) return 0;
  waiting_[begin].result = result;
  return 1;
}

// Up to the next that is cancelled, or the first that is not sent; why it is not, only to try it
// alone tells.
std::size_t DatagramOutbox::send_batch(std::size_t begin, std::size_t end) {
  std::array<mmsghdr, kSentAtOnce> batch;
  unsigned size = 0;
  for (std::size_t i = begin; i < end && waiting_[i].datagram != nullptr; ++i) {
    batch[size++].msg_hdr = waiting_[i].datagram->message;
  }
  const int sent = ::sendmmsg(socket_, batch.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
  for (int i = 0; i < sent; ++i) {
    waiting_[begin + static_cast<std::size_t>(i)].result =
        static_cast<ssize_t>(batch[static_cast<std::size_t>(i)].msg_len);
  }
  return sent > 0 ? static_cast<std::size_t>(sent) : 0;
}

void DatagramOutbox::tell_first(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const ssize_t result = waiting_[i].result;
    if (result == kNotYet) continue;
    OutgoingDatagram* const datagram = std::exchange(waiting_[i].datagram, nullptr);
    if (datagram != nullptr) datagram->on_gone(result);
  }
}

}  // namespace berth
