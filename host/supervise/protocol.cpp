#include "supervise/protocol.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace berth {

namespace {

constexpr std::size_t kLongestText = 1000;

using OrderBytes = std::array<char, 1 + sizeof(Duration::rep)>;

OrderBytes bytes_of(Order what) {
  OrderBytes message;
  const Duration::rep deadline = what.deadline.count();
  message[0] = static_cast<char>(what.kind);
  std::memcpy(message.data() + 1, &deadline, sizeof deadline);
  return message;
}

// Room for one descriptor beside a message (man 3 cmsg).
struct alignas(cmsghdr) DescriptorRoom {
  std::array<char, CMSG_SPACE(sizeof(int))> bytes;
};

// A message, and the descriptor that comes with it, if one does.
ssize_t receive(int channel, OrderBytes& message, Fd& descriptor) {
  iovec part = {message.data(), message.size()};
  DescriptorRoom room{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = room.bytes.data();
  header.msg_controllen = room.bytes.size();
  const ssize_t length = ::recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
  descriptor.reset();
  if (length < 0) return length;
  const cmsghdr* const passed = CMSG_FIRSTHDR(&header);
  if (passed != nullptr && passed->cmsg_type == SCM_RIGHTS) {
    int number = -1;
    std::memcpy(&number, CMSG_DATA(passed), sizeof number);
    descriptor.reset(number);
  }
  return length;
}

// After a recv(2) that gave no message: 0 is the end of file, as no message is empty.
Heard heard_without_message(ssize_t length) {
  const bool later = length < 0 && (errno == EAGAIN || errno == EINTR);
  return later ? Heard::nothing : Heard::other_side_gone;
}

}  // namespace

Result<std::pair<Fd, Fd>> make_channel() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
    return system_error("cannot make a socket pair", errno);
  }
  return std::pair(Fd(ends[0]), Fd(ends[1]));
}

void report(int channel, FromWorker kind, std::string_view text) {
  std::string message(1, static_cast<char>(kind));
  message += text.substr(0, kLongestText);
  (void)::send(channel, message.data(), message.size(), MSG_NOSIGNAL);
}

Heard next_report(int channel, WorkerReport& into) {
  std::array<char, 1 + kLongestText> message;
  for (;;) {
    const ssize_t length = ::recv(channel, message.data(), message.size(), 0);
    if (length <= 0) return heard_without_message(length);
    const auto kind = static_cast<FromWorker>(message[0]);
    switch (kind) {
      case FromWorker::ready:
      case FromWorker::alive:
      case FromWorker::cannot_start:
        into = {kind, {message.data() + 1, static_cast<std::size_t>(length) - 1}};
        return Heard::message;
    }
  }
}

void order(int channel, Order what) {
  const OrderBytes message = bytes_of(what);
  (void)::send(channel, message.data(), message.size(), MSG_NOSIGNAL);
}

void order_log(int channel, int descriptor) {
  OrderBytes message = bytes_of({ToWorker::log, Duration::zero()});
  iovec part = {message.data(), message.size()};
  DescriptorRoom room{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = room.bytes.data();
  header.msg_controllen = room.bytes.size();
  cmsghdr* const passed = CMSG_FIRSTHDR(&header);
  passed->cmsg_level = SOL_SOCKET;
  passed->cmsg_type = SCM_RIGHTS;
  passed->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(passed), &descriptor, sizeof descriptor);
  (void)::sendmsg(channel, &header, MSG_NOSIGNAL);
}

Heard next_order(int channel, Order& into, Fd& log) {
  OrderBytes message;
  for (;;) {
    const ssize_t length = receive(channel, message, log);
    if (length <= 0) return heard_without_message(length);
    if (length != static_cast<ssize_t>(message.size())) continue;
    Duration::rep deadline;
    std::memcpy(&deadline, message.data() + 1, sizeof deadline);
    const auto kind = static_cast<ToWorker>(message[0]);
    switch (kind) {
      case ToWorker::serve:
      case ToWorker::drain:
      case ToWorker::hand_over:
      case ToWorker::log:
        into = {kind, Duration(deadline)};
        return Heard::message;
    }
  }
}

}  // namespace berth
