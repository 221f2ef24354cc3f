// Load of datagrams: many sockets, each with one datagram outstanding, so that a reply can only be
// the one to the datagram before.
//
// A lost one is found when the run ends, since nothing tells of it, and its socket is silent until
// then. The queue of one socket of a server takes some two hundred by default
// (net.core.rmem_default): with more sockets than that a server that is busy loses some, and fails.
#pragma once

#include "load.hpp"

namespace berth::bench {

class Datagrams : public Load {
 public:
  // Throws Failure unless the server has answered on every socket.
  Datagrams(const Workload& workload, const Destination& destination);

  void finish() override;

 private:
  struct Client {
    Fd socket;
    std::uint64_t position = 0;  // in the pattern, so that no two messages are the same
  };

  void start() override;
  void handle(std::uint32_t slot, std::uint32_t events) override;
  void ask(std::uint32_t slot);

  std::size_t message_;
  std::vector<Client> clients_;
};

}  // namespace berth::bench
