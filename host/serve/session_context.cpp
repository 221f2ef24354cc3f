#include "serve/session_context.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "base/format.hpp"
#include "base/quantities.hpp"
#include "base/signal_name.hpp"
#include "serve/source_counts.hpp"

namespace berth {

namespace {

// Adds one to an eventfd's count, which nobody takes away: it stays readable.
void signal_event(const Fd& event) {
  if (event) (void)::eventfd_write(event.get(), 1);
}

std::string reason(const SessionReport& report) {
  switch (report.end) {
    case SessionEnd::running:
      return "still running";
    case SessionEnd::client:
      return "closed by the client";
    case SessionEnd::handler:
      return "closed by the handler";
    case SessionEnd::failed:
      return "the handler failed";
    case SessionEnd::crashed:
      return "killed by " + signal_name(report.error);
    case SessionEnd::exited:
      return "the handler called exit()";
    case SessionEnd::vanished:
      return "its process ended without finishing it";
    case SessionEnd::killed:
      return "it had lasted too long (session_timeout), did not end, and was killed";
    case SessionEnd::lost:
      break;
  }
  switch (report.limit) {
    case SessionLimit::idle:
      return "the client was silent for too long (idle_timeout)";
    case SessionLimit::write:
      return "the client took nothing of a reply for too long (write_timeout)";
    case SessionLimit::whole:
      return "it had lasted too long (session_timeout)";
    case SessionLimit::handshake:
      return "what has to come first had not come in time (handshake_timeout)";
    case SessionLimit::none:
      break;
  }
  if (report.error == EPROTO && report.tls) return "TLS: " + report.tls.text();
  if (report.error == ECANCELED) return "cut at the end of the drain";
  return std::strerror(report.error);
}

}  // namespace

bool StopState::make_events() {
  if (drain_event_ && cancel_event_) return true;
  drain_event_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  cancel_event_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  return drain_event_ && cancel_event_;
}

void StopState::drain() {
  draining_ = true;
  signal_event(drain_event_);
}

void StopState::cancel() {
  draining_ = true;
  cancelled_ = true;
  signal_event(cancel_event_);
}

std::string describe(const SessionReport& report) {
  return formatted("connection {} from {}", report.id, report.peer.text());
}

void log_opened(Log& log, const AcceptedConnection& connection) {
  if (!log.connections()) return;
  if (!connection.proxied) {
    return log.info("connection {} from {}", connection.id, connection.peer.text());
  }
  log.info("connection {} from {} through {}", connection.id, connection.peer.text(),
           connection.proxied->proxy.text());
}

void SessionContext::give_back(const Peer& peer) const {
  if (sources != nullptr) sources->give_back(peer);
}

namespace {

void log_end(const SessionContext& sessions, const SessionReport& report) {
  Log& log = sessions.log;
  const auto seconds = [&] {
    return std::chrono::duration<double>(Clock::now() - report.accepted).count();
  };
  if (report.end == SessionEnd::crashed || report.end == SessionEnd::exited ||
      report.end == SessionEnd::vanished) {
    // How much it has read and written died with it.
    return log.error("handler '{}' crashed: {} ended after {:.3f} s: {}", sessions.settings.handler,
                     describe(report), seconds(), reason(report));
  }
  if (report.end == SessionEnd::killed) {
    return log.warn("{} ended: {:.3f} s, {}", describe(report), seconds(), reason(report));
  }
  if (!log.connections()) return;
  log.info("{} ended: {} B in, {} B out, {:.3f} s, {}", describe(report), report.bytes_in,
           report.bytes_out, seconds(), reason(report));
}

}  // namespace

void on_session_over(const SessionContext& sessions, const SessionReport& report) {
  sessions.give_back(report.peer);  // before the line: whoever reads it may count on it
  try {
    log_end(sessions, report);
  } catch (const std::bad_alloc&) {
    sessions.log.lose_line();
  }
}

}  // namespace berth
