#include "serve/datagram_receiver.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace berth {

DatagramReceiver::DatagramReceiver() : room_(kBatch * kRoom, AfterFork::absent) {
  for (unsigned i = 0; i < kBatch; ++i) {
    places_[i].bytes = {&room_[i * kRoom], kRoom};
    make_ready(i);
  }
}

void DatagramReceiver::make_ready(std::size_t index) {
  msghdr& message = messages_[index].msg_hdr;
  message = {};
  message.msg_name = &places_[index].from;
  message.msg_namelen = sizeof places_[index].from;
  message.msg_iov = &places_[index].bytes;
  message.msg_iovlen = 1;
  places_[index].control.attach_to(message, is_unix_);
}

int DatagramReceiver::receive(DatagramSocket& socket, unsigned most) {
  local_ = socket.local();
  // The kernel tells no more than the sender of what comes to one address.
  if (most == 1 && !local_.is_unix() && !local_.is_unspecified()) {
    return receive_one(socket.number());
  }
  const unsigned count = std::min(most, kBatch);
  // What the kernel has not written to is still as it was made ready.
  if (std::exchange(is_unix_, local_.is_unix()) != local_.is_unix()) used_ = kBatch;
  for (std::size_t i = 0; i < used_; ++i) make_ready(i);
  const int received = ::recvmmsg(socket.number(), messages_.data(), count,
                                  MSG_DONTWAIT | MSG_CMSG_CLOEXEC, nullptr);
  const int error = errno;
  used_ = received < 0 ? 1 : static_cast<std::size_t>(received) + 1;
  used_ = std::min<std::size_t>(used_, kBatch);
  return received < 0 ? -error : received;
}

// Over UDP, by recvfrom(2), for which the kernel reads and writes less than for a list of messages.
int DatagramReceiver::receive_one(int socket) {
  mmsghdr& message = messages_[0];
  message.msg_hdr.msg_namelen = sizeof places_[0].from;
  const ssize_t size =
      ::recvfrom(socket, places_[0].bytes.iov_base, kRoom, MSG_DONTWAIT,
                 static_cast<sockaddr*>(message.msg_hdr.msg_name), &message.msg_hdr.msg_namelen);
  if (size < 0) return -errno;
  message.msg_len = static_cast<unsigned>(size);
  message.msg_hdr.msg_flags = 0;
  message.msg_hdr.msg_controllen = 0;
  used_ = std::max<std::size_t>(used_, 1);
  return 1;
}

DatagramReceiver::Arrived DatagramReceiver::arrived(int index) const {
  const auto place = static_cast<std::size_t>(index);
  const mmsghdr& message = messages_[place];
  return {{static_cast<const char*>(places_[place].bytes.iov_base), message.msg_len},
          envelope_of(message.msg_hdr, local_),
          (message.msg_hdr.msg_flags & MSG_TRUNC) != 0};
}

}  // namespace berth
