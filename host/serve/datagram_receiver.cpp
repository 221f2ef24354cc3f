#include "serve/datagram_receiver.hpp"

#include <algorithm>
#include <cerrno>

namespace berth {

DatagramReceiver::DatagramReceiver() : room_(new char[kBatch * kRoom]) {
  for (unsigned i = 0; i < kBatch; ++i) places_[i].bytes = {room_.get() + i * kRoom, kRoom};
}

int DatagramReceiver::receive(DatagramSocket& socket, unsigned most) {
  local_ = socket.local();
  const unsigned count = std::min(most, kBatch);
  for (unsigned i = 0; i < count; ++i) {
    msghdr& message = messages_[i].msg_hdr;
    message = {};
    message.msg_name = &places_[i].from;
    message.msg_namelen = sizeof places_[i].from;
    message.msg_iov = &places_[i].bytes;
    message.msg_iovlen = 1;
    places_[i].control.attach_to(message, local_.is_unix());
  }
  const int received = ::recvmmsg(socket.number(), messages_.data(), count,
                                  MSG_DONTWAIT | MSG_CMSG_CLOEXEC, nullptr);
  return received < 0 ? -errno : received;
}

DatagramReceiver::Arrived DatagramReceiver::arrived(int index) const {
  const auto place = static_cast<std::size_t>(index);
  const mmsghdr& message = messages_[place];
  return {{static_cast<const char*>(places_[place].bytes.iov_base), message.msg_len},
          envelope_of(message.msg_hdr, local_),
          (message.msg_hdr.msg_flags & MSG_TRUNC) != 0};
}

}  // namespace berth
