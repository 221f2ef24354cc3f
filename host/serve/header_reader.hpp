// Reads the headers of the PROXY protocol, where a listener is told which proxies send them: what
// stands between the accept and the admission of a connection that a proxy has made. From then on
// it is the client's connection, whose address the header has told.
//
// Connections whose header has not come yet wait here, watched by the worker's loop under every
// model, and count as connections of the worker. One whose header is malformed, or not there within
// `handshake_timeout`, is closed and told of in the log: the first at once, then in one line for
// all in a while. Lives in the worker, on its main thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string>

#include "serve/event_loop.hpp"
#include "serve/refusal_log.hpp"
#include "serve/session_context.hpp"

namespace berth {

class HeaderReader {
 public:
  // Whether a listener needs one.
  [[nodiscard]] static bool is_needed(const ListenerSettings& settings) {
    return !settings.proxy_from.empty();
  }

  // `let_in` takes a connection whose header has been read, its addresses being those that the
  // header tells; `on_end` is called whenever one does not wait here any more, after that.
  HeaderReader(EventLoop& loop, const SessionContext& sessions,
               std::function<void(AcceptedConnection&&)> let_in, std::function<void()> on_end);
  ~HeaderReader();

  // Whether a connection from there begins with a header: it is a proxy's.
  [[nodiscard]] bool expects_from(const Peer& peer) const;
  // Reads the header of such a connection; it may be there already.
  void start(AcceptedConnection&& accepted);
  // Those whose header is still to come.
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  // They come to nothing, and nobody is called.
  void close_all();
  // In a process that was forked, where they are only copies.
  void close_copies() noexcept;

 private:
  class Waiting;
  // What has become of a header, as far as it has come.
  enum class Progress { waits, whole, failed };

  void go_on(Waiting& waiting);
  [[nodiscard]] Progress read(Waiting& waiting);
  [[nodiscard]] Progress read_what_is_there(Waiting& waiting);
  [[nodiscard]] Progress hung_up(const Waiting& waiting, int error);
  void let_in(Waiting& waiting);
  void drop(Waiting& waiting);
  void end_late();
  void cannot_read(const Peer& proxy, int error);
  void refuse(const Peer& proxy, const std::string& why);
  void tell_rest(const RefusalLog::Rest& rest);

  EventLoop& loop_;
  const SessionContext& sessions_;
  std::function<void(AcceptedConnection&&)> let_in_;
  std::function<void()> on_end_;
  std::list<Waiting> waiting_;  // the first is the first whose time is over
  CallTimer late_;
  RefusalLog log_;
};

}  // namespace berth
