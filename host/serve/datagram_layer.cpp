#include "serve/datagram_layer.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace berth {

DatagramLayer::DatagramLayer(std::unique_ptr<Datagram> datagram)
    : datagram_(std::move(datagram)), retry_(DatagramOutbox::kFirstRetry) {}

DatagramLayer::~DatagramLayer() {
  if (sending_ == Sending::waits) datagram_->socket->outbox()->cancel(*this);
}

ssize_t DatagramLayer::receive(Wire&, Lent& bytes) {
  if (std::exchange(was_read_, true)) return 0;
  bytes = Lent(datagram_->bytes.get(), {this});
  return static_cast<ssize_t>(datagram_->size);
}

std::optional<SocketAddress> DatagramLayer::local() const { return datagram_->envelope.to; }

ssize_t DatagramLayer::send(Wire& wire, const iovec* pieces, std::size_t count) {
  if (sending_ == Sending::waits) return kNotYet;
  if (std::exchange(sending_, Sending::nothing) == Sending::over) return result_;
  if (!datagram_->envelope.can_be_answered()) return -ENOTCONN;
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) size += pieces[i].iov_len;
  if (size > kLongestDatagram) return -EMSGSIZE;
  compose(pieces, count);
  DatagramOutbox* const outbox = datagram_->socket->outbox();
  if (outbox == nullptr) {
    const ssize_t sent = send_at_once();
    if (sent != kNotYet) retry_ = DatagramOutbox::kFirstRetry;
    return sent;
  }
  wire_ = &wire;
  outbox->send(*this);
  sending_ = Sending::waits;
  return kNotYet;
}

void DatagramLayer::compose(const iovec* pieces, std::size_t count) {
  iovec* own = few_.data();
  if (count > IOV_MAX) {
    joined_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      joined_.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
    }
    few_[0] = {joined_.data(), joined_.size()};
    count = 1;
  } else if (count > few_.size()) {
    many_.assign(pieces, pieces + count);
    own = many_.data();
  } else {
    std::copy_n(pieces, count, own);
  }
  const Envelope& envelope = datagram_->envelope;
  message.msg_name = const_cast<sockaddr*>(envelope.from.get());
  message.msg_namelen = envelope.from.size();
  message.msg_iov = own;
  message.msg_iovlen = count;
  control_.say_source(message, envelope.answer_from);
}

ssize_t DatagramLayer::send_at_once() const {
  const ssize_t sent =
      ::sendmsg(datagram_->socket->number(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0) return sent;
  return errno == ENOBUFS ? kNotYet : -errno;
}

Duration DatagramLayer::retry_after() {
  return std::exchange(retry_, std::min(2 * retry_, DatagramOutbox::kLastRetry));
}

void DatagramLayer::cancel_send(Wire&) {
  if (std::exchange(sending_, Sending::nothing) != Sending::waits) return;
  datagram_->socket->outbox()->cancel(*this);
}

void DatagramLayer::on_gone(ssize_t result) {
  sending_ = Sending::over;
  result_ = result;
  wire_->on_sent(result);
}

}  // namespace berth
