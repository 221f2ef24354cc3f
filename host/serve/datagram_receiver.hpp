// Takes many datagrams from a socket with one system call. Lives in the worker, beside the
// acceptor, which looks through a batch before it takes the next; sessions' processes get their
// datagram alone.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <string_view>

#include "base/pages.hpp"
#include "net/datagram.hpp"
#include "serve/datagram_socket.hpp"

namespace berth {

class DatagramReceiver : public AbsentAfterFork {
 public:
  static constexpr unsigned kBatch = 32;
  // More than any datagram of UDP has.
  static constexpr std::size_t kRoom = 64 * 1024;

  // Throws std::system_error.
  DatagramReceiver();

  struct Arrived {
    std::string_view bytes;
    Envelope envelope;
    bool is_cut;  // it was longer
  };
  // Takes those that wait, at most so many, and says how many; or gives an error as -errno.
  [[nodiscard]] int receive(DatagramSocket& socket, unsigned most);
  // One of them. The bytes are there until the next receive().
  [[nodiscard]] Arrived arrived(int index) const;

 private:
  [[nodiscard]] int receive_one(int socket);
  void make_ready(std::size_t index);

  struct Place {
    sockaddr_storage from;
    DatagramControl control;
    iovec bytes;
  };

  SocketAddress local_;
  bool is_unix_ = false;
  std::size_t used_ = 0;  // of the messages, by the last receive()
  std::array<mmsghdr, kBatch> messages_;
  std::array<Place, kBatch> places_;
  // Never touched but where a datagram was put, so that it costs as much memory as they have bytes.
  PagedArray<char> room_;
};

}  // namespace berth
