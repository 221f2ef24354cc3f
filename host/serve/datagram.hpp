// A datagram, which is a session of its own: read() gives it, and each write() answers it. Passes
// from the acceptor to the session; sessions that have a process of their own get a copy.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "net/datagram.hpp"
#include "serve/datagram_socket.hpp"

namespace berth {

struct Datagram {
  // Throws std::bad_alloc.
  Datagram(std::shared_ptr<DatagramSocket> on, const Envelope& with, std::string_view content)
      : socket(std::move(on)),
        envelope(with),
        size(content.size()),
        bytes(new char[content.size()]) {
    content.copy(bytes.get(), content.size());
  }

  // Shared, because the acceptor receives on it and each session answers on it, some of them long
  // after the acceptor has let it go.
  std::shared_ptr<DatagramSocket> socket;
  Envelope envelope;
  std::size_t size;
  std::unique_ptr<char[]> bytes;  // not null, however few
};

}  // namespace berth
