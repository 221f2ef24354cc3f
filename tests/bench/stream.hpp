// Load over connections that stay: round trips, pipelined and bulk messages, and the idle ones.
#pragma once

#include "load.hpp"

namespace berth::bench {

class Stream : public Load {
 public:
  // Throws Failure unless the server has answered on every connection.
  Stream(const Workload& workload, const Destination& destination);

  void finish() override;

 private:
  // Positions are bytes since the connection began, and `asked` counts messages of it.
  struct Connection {
    std::unique_ptr<Channel> channel;
    bool awaits_room = false;
    std::uint64_t asked = 0, sent = 0, received = 0;
  };

  void start() override;
  void handle(std::uint32_t slot, std::uint32_t events) override;
  void connect(std::uint32_t slot);
  void refill(std::uint32_t slot);
  void send_asked(std::uint32_t slot);
  bool receive(std::uint32_t slot);
  void lose(std::uint32_t slot, const char* why);

  std::size_t message_, depth_;
  std::vector<Connection> connections_;
};

}  // namespace berth::bench
