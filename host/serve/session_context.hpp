// What a session and its worker have in common, whatever the model: plain values that pass between
// the acceptor, the model and the connection.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/log.hpp"
#include "net/address.hpp"
#include "net/tls_failure.hpp"
#include "serve/datagram_layer.hpp"
#include "serve/listener_settings.hpp"

namespace berth {

class Handler;
class SourceCounts;
class TlsContext;

// What a connection has beside its peer that came through a proxy which told of its client.
struct Proxied {
  SocketAddress local;  // where the client connected to
  Peer proxy;
};

// A connection fresh from accept(2). The peer is kept from there: after a reset getpeername(2)
// fails. Or a datagram that has come.
struct AcceptedConnection {
  Fd socket;
  Peer peer;
  std::uint64_t id = 0;
  TimePoint accepted;
  Scheme scheme = Scheme::tcp;
  std::unique_ptr<const Proxied> proxied{};           // null: it is the peer's own
  std::unique_ptr<DatagramLayer> datagram = nullptr;  // in place of a socket of its own
};

// What has come of an attempt to take a connection that waits, where the loop does not watch for
// any.
enum class Taken {
  full,     // as many sessions have started as there was room for
  nobody,   // there is room, and none waits any more
  not_now,  // the loop watches for them, or will in a while
};

// Why a session is over.
enum class SessionEnd : std::uint8_t {
  running,   // not yet
  client,    // the client closed its side, and the handler was through
  handler,   // the handler ended it
  lost,      // an operation failed with `error`, and the handler let it go
  failed,    // the handler threw
  crashed,   // killed by signal `error`
  exited,    // the handler called exit()
  vanished,  // its process ended without a word
  killed,    // by the host, since it had not ended when it had to
};

// The limit of the listener's that has ended a session.
enum class SessionLimit : std::uint8_t { none, idle, write, whole, handshake };

// What is told of a session when it is over. Under the fork models it lies in memory shared between
// the session's process and the worker.
struct SessionReport {
  std::uint64_t id = 0;
  Peer peer;
  TimePoint accepted;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  SessionEnd end = SessionEnd::running;
  SessionLimit limit = SessionLimit::none;
  TlsFailure tls{};  // what `error` EPROTO means, where TLS has failed
  int error = 0;
};

// Whether the drain has begun, and whether its deadline has come. Set by the worker's main thread
// (in a session process: by a signal handler), read by sessions. The events are eventfds that stay
// readable once signalled, for sessions that wait in poll(2); made when first needed.
class StopState {
 public:
  [[nodiscard]] bool draining() const { return draining_; }
  [[nodiscard]] bool cancelled() const { return cancelled_; }
  [[nodiscard]] int drain_event() const { return drain_event_.get(); }
  [[nodiscard]] int cancel_event() const { return cancel_event_.get(); }

  // False with errno set where there are no descriptors left. Before any thread uses the events.
  [[nodiscard]] bool make_events();

  // Async-signal-safe.
  void drain();
  void cancel();

 private:
  std::atomic<bool> draining_{false};
  std::atomic<bool> cancelled_{false};
  Fd drain_event_;
  Fd cancel_event_;
};

// What every session of a worker uses; outlives them all.
struct SessionContext {
  const ListenerSettings& settings;
  const Handler& handler;
  Log& log;
  StopState stop;
  SourceCounts* sources = nullptr;  // where connections are counted by source
  const TlsContext* tls = nullptr;  // for connections that came to a tls:// address

  // The connection from there, which was let in, is over or came to nothing.
  void give_back(const Peer& peer) const;
};

// When a session that began then has lasted as long as it may; kNever without such a limit.
[[nodiscard]] inline TimePoint end_of_session(const ListenerSettings& settings, TimePoint began) {
  return settings.session_timeout == kUnlimited ? kNever : after(began, settings.session_timeout);
}

// `connection 17 from 127.0.0.1:2934`
[[nodiscard]] std::string describe(const SessionReport& report);
// The line when a connection opens, which also tells the proxy that it came through.
void log_opened(Log& log, const AcceptedConnection& connection);
// A session is over: gives back what it counted for and writes the line of its end, which also
// tells of handlers that crashed or vanished, at level error. From any thread, once a session.
void on_session_over(const SessionContext& sessions, const SessionReport& report);

}  // namespace berth
