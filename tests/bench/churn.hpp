// Load of short connections: each connects, has one round trip, half-closes, sees the server close.
// Over TLS each has a full handshake first, and at its end says and hears goodbye.
//
// The client closes first, as echo clients do, so that TIME_WAIT is its own. To leave TIME_WAIT out
// with a reset (SO_LINGER of 0) would show the server an error in place of the end of the stream.
#pragma once

#include "load.hpp"

namespace berth::bench {

class Churn : public Load {
 public:
  Churn(const Workload& workload, const Destination& destination);

  void finish() override {}  // every run has closed all of its connections

 private:
  enum class Stage { connecting, awaiting_reply, awaiting_close };
  struct Connection {
    std::unique_ptr<Channel> channel;
    std::uint32_t watched = 0;  // the events
    Stage stage = Stage::connecting;
    std::size_t received = 0;
    std::uint64_t position = 0;  // in the pattern, so that no two messages are the same
  };

  void start() override;
  void handle(std::uint32_t slot, std::uint32_t events) override;
  void open(std::uint32_t slot);
  void ask(std::uint32_t slot);
  bool receive(std::uint32_t slot);
  void watch_for(std::uint32_t slot, std::uint32_t events);
  void lose(std::uint32_t slot, const char* why);

  std::size_t message_;
  std::vector<Connection> connections_;
  std::uint32_t opened_ = 0;
};

}  // namespace berth::bench
