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

ssize_t DatagramLayer::send(Wire& wire, Pieces pieces) {
  if (sending_ == Sending::waits) return kNotYet;
  if (std::exchange(sending_, Sending::nothing) == Sending::over) return result_;
  if (!datagram_->envelope.can_be_answered()) return -ENOTCONN;
  if (are_longer(pieces, kLongestDatagram)) return -EMSGSIZE;
  compose(pieces);
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

void DatagramLayer::compose(Pieces pieces) {
  if (pieces.size() > IOV_MAX) {
    joined_.clear();
    for (const berth_bytes& piece : pieces) joined_.append(piece.data, piece.size);
    few_[0] = {joined_.data(), joined_.size()};
    pieces = {few_.data(), 1};
  } else if (pieces.size() > few_.size()) {
    many_.assign(pieces.begin(), pieces.end());
    pieces = many_;
  } else {
    std::copy(pieces.begin(), pieces.end(), few_.begin());
    pieces = {few_.data(), pieces.size()};
  }
  const Envelope& envelope = datagram_->envelope;
  message.msg_name = const_cast<sockaddr*>(envelope.from.get());
  message.msg_namelen = envelope.from.size();
  message.msg_iov = as_iovec(pieces);
  message.msg_iovlen = pieces.size();
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
