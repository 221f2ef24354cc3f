// The load on a server under test: clients that send, verify every byte that comes back and count
// every reply that does not come. Lives in the one thread of the benchmark's process, on an
// epoll of its own; talks to 127.0.0.1 alone.
//
// A wrong byte, a lost reply, a refused connection or a server that does not close when its client
// has closed throws Failure: a server that errs is not measured.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "channel.hpp"
#include "failure.hpp"
#include "tls.hpp"
#include "workload.hpp"

namespace berth::bench {

// How long one run lasts; it ends by itself when either bound is reached, and then takes in the
// replies that are still due.
struct Span {
  Duration warm_up{};
  Duration timed = std::chrono::seconds(10);
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();  // in messages
};

struct Tally {
  std::uint64_t timed_messages = 0;  // whose reply came in the timed part
  double timed_seconds = 0;
  std::uint64_t messages = 0;  // of the whole run: what the server's use of the processor is for

  [[nodiscard]] double rate() const { return static_cast<double>(timed_messages) / timed_seconds; }
};

// Where a server under test is reached.
struct Destination {
  Transport transport;
  std::uint16_t port;
  const TlsClients* tls = nullptr;  // for TLS alone; outlives the load
};

class Load {
 public:
  virtual ~Load() = default;
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  Tally run(const Span& span);
  // Ends all connections in order: half-closes, and accepts nothing but the end of the stream then.
  virtual void finish() = 0;

 protected:
  explicit Load(const Destination& destination);

  virtual void start() = 0;  // asks for as many replies as may be outstanding
  virtual void handle(std::uint32_t slot, std::uint32_t events) = 0;

  // Connections come from many addresses of 127.0.0.0/8 in turn, lest they use up the ephemeral
  // ports of one: a hundred thousand at once, or tens of thousands a second within the minute that
  // TIME_WAIT lasts.
  [[nodiscard]] Fd open_socket(std::uint32_t number) const;
  // False while it is still going on.
  bool connect_to_server(int socket) const;
  // Of a connection, made or in the making.
  [[nodiscard]] std::unique_ptr<Channel> channel_on(Fd socket) const;
  void watch(int socket, std::uint32_t events, std::uint32_t slot, bool again = false) const;
  // Compares `size` bytes of the receive buffer with what a slot is to have at a position.
  void verify(std::uint32_t slot, std::uint64_t position, std::size_t size) const;
  // As texts have a slot.
  static std::string name_of(std::uint32_t slot) { return "client " + std::to_string(slot); }
  static const char* pattern(std::uint32_t slot, std::uint64_t position);

  [[nodiscard]] std::uint64_t may_ask() const { return stopping_ ? 0 : limit_ - asked_; }
  void count_asked(std::uint64_t messages) { asked_ += messages; }
  void count_answered(std::uint64_t messages) { answered_ += messages; }
  void count_lost(std::uint64_t messages, const std::string& why);
  char* buffer() { return buffer_.data(); }
  [[nodiscard]] std::size_t buffer_size() const { return buffer_.size(); }

 private:
  void wait_and_handle();

  Destination destination_;
  Fd poller_;
  std::vector<char> buffer_;
  bool stopping_ = false;
  std::uint64_t limit_ = 0, asked_ = 0, answered_ = 0, lost_ = 0;
  std::string first_loss_;
};

// Connects, and for the workloads that keep their connections has one reply on each before it
// returns.
std::unique_ptr<Load> make_load(const Workload& workload, const Destination& destination);

}  // namespace berth::bench
