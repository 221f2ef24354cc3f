// A worker: accepts, lets its model serve, tells the supervisor that it lives, and drains when the
// supervisor says so or is gone. It takes no orders from signals, all of which the supervisor had
// blocked that mean something to it: a session that signals its process group, as shell scripts do,
// must not take the listener out of service. Runs in the worker's process, on its main thread,
// which guests of its loop may stand in for.
#pragma once

#include <memory>
#include <vector>

#include "model/model.hpp"
#include "net/socket.hpp"
#include "serve/acceptor.hpp"
#include "serve/event_loop.hpp"
#include "supervise/protocol.hpp"
#include "supervise/worker_board.hpp"

namespace berth {

// What the listening sockets of such a listener pass on to their connections.
[[nodiscard]] Duration send_timeout_for(const ListenerSettings& settings);

class Worker {
 public:
  // What it has of the listener's limits.
  struct Share {
    unsigned max_connections;
    RateGate rate;
    bool broadcasts = true;  // one worker of a listener answers them
  };

  // `sockets` are this process's copies of the listening sockets; the worker takes them over.
  // It borrows the channel, and keeps its counters on `board`. Throws std::system_error where the
  // kernel refuses what it needs.
  Worker(const ModelRow& model, SessionContext& sessions, Share share,
         std::vector<ListeningSocket> sockets, const Fd& channel, WorkerBoard& board);
  ~Worker();

  // Serves, once it is told to, until the drain is over. Sessions that do not end by its deadline,
  // nor when cancelled, end with the process. Where it cannot go on it tells the supervisor, and
  // the process ends there: sessions may be running.
  void run();

 private:
  void on_channel();
  void obey(Order order, Fd log);
  void beat();
  std::unique_ptr<HeaderReader> make_header_reader();
  void start_session(AcceptedConnection&& connection);
  // Connections that are not yet over, be they sessions or waiting for their header.
  [[nodiscard]] std::size_t open() const;
  void count_open();
  void serve();
  void drain(Acceptor::Queues queues, Duration deadline);
  void on_deadline();
  void on_grace_end();
  void on_session_end();
  [[nodiscard]] Taken take_waiting();

  SessionContext& sessions_;
  const Fd& channel_;
  WorkerBoard& board_;
  std::unique_ptr<EventLoop> loop_;
  // Where the listener has proxies. Before the model, which may fork at once.
  std::unique_ptr<HeaderReader> headers_;
  std::unique_ptr<Model> model_;
  const Duration send_timeout_;
  std::vector<ListeningSocket> sockets_;  // until it serves
  std::unique_ptr<Admission> admission_;  // where the listener restricts who is let in
  Acceptor acceptor_;
  CallWatcher channel_watcher_;
  CallTimer heartbeat_;
  CallTimer deadline_;
  CallTimer grace_;
  bool draining_ = false;
  bool killed_ = false;
};

}  // namespace berth
