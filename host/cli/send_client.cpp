#include "cli/send_client.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/quantities.hpp"
#include "base/result.hpp"
#include "net/datagram.hpp"

namespace berth {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Silence after a reply shorter than its word.
constexpr Duration kShortReplySilence = seconds(1);
// Silence after a long enough reply: this much for a busy machine, and some round trips on top.
constexpr Duration kLeastMoment = milliseconds(50);
constexpr int kRoundTripsInMoment = 4;
// A peer that never stops talking must not fill this machine's memory.
constexpr std::size_t kLongestReply = 64 << 20;

Duration moment_of(int socket) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return kLeastMoment;
  const Duration wanted = kLeastMoment + kRoundTripsInMoment * microseconds(info.tcpi_rtt);
  return std::min(wanted, kShortReplySilence);
}

std::string cannot_connect(const std::string& target, int errno_value) {
  std::string message = system_error("cannot connect to " + target, errno_value).message;
  switch (errno_value) {
    case ETIMEDOUT:
      return message + " (no answer at all: is the address right, does a firewall drop it?)";
    case ECONNREFUSED:
      return message + " (nothing listens there; is `berth run` running?)";
    case ENOENT:
      return message + " (no socket is there; is `berth run` running?)";
    case EACCES:
      return message + " (the socket's mode does not let this user connect)";
    case EAGAIN:
      return message + " (its backlog is full)";
    case EMFILE:
      return message + " (each client needs a descriptor: raise ulimit -n)";
    case ENETUNREACH:
    case EHOSTUNREACH:
      return message + " (is this machine on the network?)";
    default:
      return message;
  }
}

// One in the abstract namespace that nobody has (autobind, man 7 unix): without a name no datagram
// could be answered.
void take_any_name(int socket) {
  const sockaddr_un none{AF_UNIX, {}};
  (void)bind(socket, reinterpret_cast<const sockaddr*>(&none), sizeof none.sun_family);
}

std::string too_long(const std::string& target) {
  return "a word is too long for " + target + ": one datagram holds " +
         std::to_string(kLongestDatagram) + " bytes";
}

}  // namespace

SendClient::SendClient(const SendPlan& plan, OnReply on_reply)
    : plan_(plan), on_reply_(std::move(on_reply)) {}

void SendClient::start(TimePoint now) {
  connect_started_ = now;
  connect_to_next(now, EADDRNOTAVAIL);
}

pollfd SendClient::interest() const {
  const bool sending = state_ == State::connecting || is_sending();
  const int events = (state_ == State::connecting ? 0 : POLLIN) | (sending ? POLLOUT : 0);
  return {socket_.get(), static_cast<short>(events), 0};
}

TimePoint SendClient::deadline() const {
  switch (state_) {
    case State::connecting:
      return connect_deadline_;
    case State::exchanging:
      if (is_sending() || reply_.empty()) return after(last_progress_, plan_.timeout);
      if (reply_.size() < word().size()) {
        return after(last_progress_, std::min(kShortReplySilence, plan_.timeout));
      }
      // A peer that never falls silent must not keep the next word back for ever.
      return std::min(after(last_progress_, std::min(moment_, plan_.timeout)),
                      after(long_enough_since_, plan_.timeout));
    case State::draining:
      return after(last_progress_,
                   reply_.empty() ? plan_.timeout : std::min(moment_, plan_.timeout));
    case State::finished:
      return kNever;
  }
  return kNever;
}

void SendClient::on_ready(TimePoint now) {
  if (state_ == State::connecting) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    return error == 0 ? on_connected(now) : connect_to_next(now, error);
  }
  if (is_sending()) send_more(now);
  if (!finished()) receive_more(now);
}

void SendClient::on_deadline(TimePoint now) {
  if (state_ == State::connecting) return connect_to_next(now, ETIMEDOUT);
  if (is_sending()) {
    return finish(plan_.target + " took no more than " + std::to_string(sent_) + " of a word's " +
                  std::to_string(word().size()) + " bytes within " +
                  format_duration(plan_.timeout) + progress());
  }
  if (!reply_.empty()) return complete_reply(now);
  finish("no reply from " + plan_.target + " within " + format_duration(plan_.timeout) +
         progress() +
         (sends_datagrams() ? " (a datagram may be lost on its way, and so may its answer: try "
                              "again; the host's log tells which ones it got)"
                            : ""));
}

// Tries the addresses not tried yet; they share the timeout, so that one that swallows packets
// leaves time for the next.
void SendClient::connect_to_next(TimePoint now, int error_of_last) {
  int error = error_of_last;
  while (next_address_ < plan_.addresses.size()) {
    const std::size_t left = plan_.addresses.size() - next_address_;
    const SocketAddress& address = plan_.addresses[next_address_++];
    address_ = address;
    socket_ = Fd(socket(address.family(), address.type() | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket_ && address.is_unix() && address.is_datagram()) take_any_name(socket_.get());
    if (socket_ && connect(socket_.get(), address.get(), address.size()) == 0) {
      return on_connected(now);
    }
    error = errno;
    if (socket_ && error == EINPROGRESS) {
      const TimePoint end = after(connect_started_, plan_.timeout);
      connect_deadline_ =
          end == kNever ? kNever : now + (end - now) / static_cast<Duration::rep>(left);
      return;
    }
  }
  finish(cannot_connect(plan_.target, error));
}

void SendClient::on_connected(TimePoint now) {
  // Each word is a message of its own and must not wait for the next to fill a packet.
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  state_ = State::exchanging;
  begin_word(now);
}

void SendClient::begin_word(TimePoint now) {
  sent_ = 0;
  word_is_sent_ = false;
  last_progress_ = now;
  send_more(now);
}

void SendClient::send_more(TimePoint now) {
  const std::string_view rest = std::string_view(word()).substr(sent_);
  const ssize_t count = send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
  if (count >= 0) {
    sent_ += static_cast<std::size_t>(count);
    word_is_sent_ = sent_ == word().size();
    last_progress_ = now;
  } else if (errno != EAGAIN && errno != EINTR) {
    if (sends_datagrams()) return on_error(errno, now);
    // The peer takes no more, but may have said something before: reading finds out, and then
    // finds the end.
    word_is_sent_ = true;
  }
}

// That nobody takes datagrams there is told when the first was sent.
void SendClient::on_error(int errno_value, TimePoint now) {
  if (errno_value == EMSGSIZE) return finish(too_long(plan_.target) + progress());
  if (answered_ == 0) return connect_to_next(now, errno_value);
  finish(system_error("lost " + plan_.target, errno_value).message + progress());
}

// One piece at a time: a peer that talks faster than this reads must not starve other clients.
void SendClient::receive_more(TimePoint now) {
  std::array<char, 65536> buffer;
  const ssize_t count = recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (count >= 0 && sends_datagrams()) {
    return on_datagram({buffer.data(), static_cast<std::size_t>(count)}, now);
  }
  if (count > 0) return on_received({buffer.data(), static_cast<std::size_t>(count)}, now);
  if (count == 0) return on_end();
  if (errno == EAGAIN || errno == EINTR) return;
  if (sends_datagrams()) return on_error(errno, now);
  finish(system_error("lost the connection to " + plan_.target, errno).message + progress());
}

void SendClient::on_received(std::string_view bytes, TimePoint now) {
  reply_ += bytes;
  last_progress_ = now;
  moment_ = moment_of(socket_.get());
  if (reply_.size() > kLongestReply) {
    return finish("a reply of " + plan_.target + " goes on past 64 MiB" + progress());
  }
  if (state_ != State::exchanging || reply_.size() < word().size()) return;
  if (reply_.size() - bytes.size() < word().size()) long_enough_since_ = now;
  // After the last word's reply a server that sees the end of the stream closes, and its closing
  // ends the reply for certain, sooner than silence would.
  if (word_is_sent_ && answered_ + 1 == plan_.words.size()) close_for_sending();
}

void SendClient::on_datagram(std::string_view bytes, TimePoint now) {
  on_reply_(bytes);
  if (++answered_ == plan_.words.size()) return finish("");
  begin_word(now);
}

void SendClient::on_end() {
  const bool counts = state_ == State::exchanging && word_is_sent_ && !reply_.empty();
  hand_on_reply();
  if (counts) ++answered_;
  finish(plan_.target + " closed the connection" + progress());
}

void SendClient::complete_reply(TimePoint now) {
  hand_on_reply();
  last_progress_ = now;
  if (state_ == State::draining) return;
  if (++answered_ < plan_.words.size()) return begin_word(now);
  state_ = State::draining;
  close_for_sending();
}

void SendClient::close_for_sending() {
  if (!std::exchange(closed_for_sending_, true)) shutdown(socket_.get(), SHUT_WR);
}

void SendClient::hand_on_reply() {
  if (!reply_.empty()) on_reply_(std::exchange(reply_, {}));
}

void SendClient::finish(std::string failure) {
  hand_on_reply();  // half a reply is still more telling than none
  // Once every word is answered it harms nobody how the connection ends.
  if (answered_ < plan_.words.size()) failure_ = std::move(failure);
  state_ = State::finished;
  socket_.reset();
}

std::string SendClient::progress() const {
  if (plan_.words.size() == 1) return "";
  return " (" + std::to_string(answered_) + " of " + std::to_string(plan_.words.size()) +
         " words answered)";
}

}  // namespace berth
