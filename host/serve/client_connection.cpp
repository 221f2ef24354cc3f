#include "serve/client_connection.hpp"

#include <algorithm>
#include <new>

#include "serve/write_progress.hpp"

namespace berth {

class ClientConnection::Patience final : public Timer {
 public:
  explicit Patience(ClientConnection& connection)
      : Timer(connection.timers()), connection_(connection) {}
  void on_due() override { connection_.look_at_write(); }

  WriteProgress progress;

 private:
  ClientConnection& connection_;
};

ClientConnection::ClientConnection(Connection& session, Fd socket, const Peer& peer, Waits waits)
    : Connection(session.context(), std::move(socket),
                 {.id = session.report().id, .peer = peer, .accepted = session.report().accepted},
                 waits),
      session_(session) {}

ClientConnection::~ClientConnection() = default;

int ClientConnection::wait_until_connected(berth_operation& operation) {
  connecting_ = true;
  operation.bytes.write = {nullptr, 0};
  return write(operation);
}

Duration ClientConnection::longest_wait() const {
  return std::min(context_.settings.idle_timeout, context_.settings.write_timeout);
}

void ClientConnection::write_waits() noexcept {
  const Duration limit = longest_wait();
  if (limit == kUnlimited || connecting_) return;
  try {
    if (!patience_) patience_ = std::make_unique<Patience>(*this);
    if (patience_->armed()) return;
    patience_->arm(after(Clock::now(), WriteProgress::interval(limit)));
  } catch (const std::bad_alloc&) {  // then the next that waits is looked at
  }
}

void ClientConnection::look_at_write() {
  if (!writing()) return;
  const TimePoint now = Clock::now();
  const auto waited = patience_->progress.stuck_for_now(socket_.get(), report().bytes_out, now);
  waited < longest_wait() ? write_waits() : give_up_write();
}

void ClientConnection::close() {
  unwatch();
  drop();
}

}  // namespace berth
