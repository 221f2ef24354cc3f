// A bound socket that datagrams come to and are answered from. Non-blocking, like all that is done
// with it.
#pragma once

#include <memory>

#include "base/fd.hpp"
#include "net/address.hpp"
#include "net/socket.hpp"
#include "serve/datagram_outbox.hpp"

namespace berth {

class DatagramSocket {
 public:
  // With a loop, what is sent in one turn of it goes out together: see outbox(). Else any thread
  // may send by itself.
  explicit DatagramSocket(Fd socket, EventLoop* loop = nullptr)
      : socket_(std::move(socket)), local_(local_address(socket_.get())) {
    if (loop != nullptr)
      outbox_ = std::make_shared<DatagramOutbox>(*loop, number(), local_.is_unix());
  }

  [[nodiscard]] int number() const { return socket_.get(); }
  // For the acceptor.
  [[nodiscard]] const SocketAddress& local() {
    // One that joins others at their address is bound only when all workers serve.
    if (!local_.is_unix() && local_.port() == 0) local_ = local_address(number());
    return local_;
  }
  // Null without a loop.
  [[nodiscard]] DatagramOutbox* outbox() const { return outbox_.get(); }

 private:
  Fd socket_;
  SocketAddress local_;
  std::shared_ptr<DatagramOutbox> outbox_;  // shared with itself, while it tells senders
};

}  // namespace berth
