#include "serve/loop_client.hpp"

#include <cerrno>

#include "base/format.hpp"

namespace berth {

LoopClient::LoopClient(LoopConnection& session, Fd socket, const Peer& peer)
    : ClientConnection(session, std::move(socket), peer, Waits::in_loop),
      Stream(socket_.get()),
      session_(session) {}

bool LoopClient::watch() { return watched_ = demultiplexer().add(*this); }

void LoopClient::unwatch() {
  if (std::exchange(watched_, false)) demultiplexer().remove(*this);
  sending_ = false;
}

void LoopClient::on_input() {
  if (reading() && !session_.yielded_) session_.run([this] { carry_on_read(); });
}

void LoopClient::on_sent(ssize_t result) {
  sending_ = false;
  session_.run([&] {
    count_sent(result);
    carry_on_write();
    // Room and input may have come as one event, and input is told of only once.
    if (reading() && !session_.yielded_) carry_on_read();
  });
}

void LoopClient::go_on() {
  if (writing() && !sending_) carry_on_write();
  if (reading() && !session_.yielded_) carry_on_read();
}

ssize_t LoopClient::receive(Lent& bytes) {
  bytes.reset();
  return demultiplexer().receive(*this, bytes);
}

ssize_t LoopClient::send(Pieces pieces) {
  const ssize_t result = demultiplexer().send(*this, pieces);
  sending_ = result == kNotYet;
  if (sending_) write_waits();
  return result;
}

void LoopClient::give_up_write() {
  session_.run([this] { ClientConnection::give_up_write(); });
}

void LoopClient::cancel_send() {
  if (std::exchange(sending_, false)) demultiplexer().cancel_send(*this);
}

TimerQueue& LoopClient::timers() { return session_.timers(); }

void LoopClient::on_operation_timer(berth_operation& operation) {
  session_.run([&] { ClientConnection::on_operation_timer(operation); });
}

std::unique_ptr<ClientConnection> LoopClientSet::make(Fd socket, const Peer& peer) {
  const int end = session_.owner_.loop.demultiplexer().end_of_range();
  if (socket.get() >= end) {
    session_.log(LogLevel::warn,
                 formatted("no further connection: descriptor {} is in use, and only those under "
                           "{} can be watched",
                           socket.get(), end));
    errno = ENOSPC;
    return nullptr;
  }
  auto client = std::make_unique<LoopClient>(session_, std::move(socket), peer);
  if (!client->watch()) return nullptr;
  return client;
}

}  // namespace berth
