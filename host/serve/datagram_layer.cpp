#include "serve/datagram_layer.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace berth {

DatagramLayer::DatagramLayer(std::shared_ptr<DatagramSocket> socket, const Envelope& envelope,
                             std::string_view bytes)
    : socket_(std::move(socket)),
      envelope_(envelope),
      size_(bytes.size()),
      retry_(DatagramOutbox::kFirstRetry) {
  bytes.copy(content(), bytes.size());
}

std::unique_ptr<DatagramLayer> DatagramLayer::make(std::shared_ptr<DatagramSocket> socket,
                                                   const Envelope& envelope,
                                                   std::string_view bytes) {
  return std::unique_ptr<DatagramLayer>(new (bytes.size())
                                            DatagramLayer(std::move(socket), envelope, bytes));
}

DatagramLayer::~DatagramLayer() {
  if (sending_ == Sending::waits) socket_->outbox()->cancel(*this);
}

ssize_t DatagramLayer::receive(Wire&, Lent& bytes) {
  if (std::exchange(was_read_, true)) return 0;
  bytes = Lent(content(), {this});
  return static_cast<ssize_t>(size_);
}

std::optional<SocketAddress> DatagramLayer::local() const { return envelope_.to; }

ssize_t DatagramLayer::send(Wire& wire, Pieces pieces) {
  if (sending_ == Sending::waits) return kNotYet;
  if (std::exchange(sending_, Sending::nothing) == Sending::over) return result_;
  if (!envelope_.can_be_answered()) return -ENOTCONN;
  if (are_longer(pieces, kLongestDatagram)) return -EMSGSIZE;
  compose(pieces);
  DatagramOutbox* const outbox = socket_->outbox();
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
  message.msg_name = const_cast<sockaddr*>(envelope_.from.get());
  message.msg_namelen = envelope_.from.size();
  message.msg_iov = as_iovec(pieces);
  message.msg_iovlen = pieces.size();
  control_.say_source(message, envelope_.answer_from);
}

ssize_t DatagramLayer::send_at_once() const {
  const ssize_t sent = send_datagram(socket_->number(), message);
  return sent == -ENOBUFS ? kNotYet : sent;
}

Duration DatagramLayer::retry_after() {
  return std::exchange(retry_, std::min(2 * retry_, DatagramOutbox::kLastRetry));
}

void DatagramLayer::cancel_send(Wire&) {
  if (std::exchange(sending_, Sending::nothing) != Sending::waits) return;
  socket_->outbox()->cancel(*this);
}

void DatagramLayer::on_gone(ssize_t result) {
  sending_ = Sending::over;
  result_ = result;
  wire_->on_sent(result);
}

}  // namespace berth
