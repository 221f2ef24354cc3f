// The one accept path of all models: takes connections and datagrams from the worker's listening
// sockets as long as there is room, and hands them to the model. Lives in the worker, on its main
// thread and its guests' (EventLoop::Guest).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "serve/admission.hpp"
#include "serve/datagram_losses.hpp"
#include "serve/datagram_receiver.hpp"
#include "serve/event_loop.hpp"
#include "serve/header_reader.hpp"
#include "serve/rate_gate.hpp"
#include "serve/session_context.hpp"

namespace berth {

// What to do after accept(2) has failed.
enum class AcceptFailure {
  nothing_waits,  // no connection is in the queue
  try_next,       // that connection is lost, or a signal came: take the next one
  wait_for_room,  // descriptors or memory are used up: go on in a while
  broken,         // the socket does not listen any more: a handler of this worker has undone it
};
// Policy, after man 2 accept: no error that a connection or the system has ends a listener.
[[nodiscard]] AcceptFailure classify_accept_failure(int errno_value);

class Acceptor {
 public:
  struct Rules {
    unsigned max_connections;  // the worker's share; exact
    // It is the model's own number (its threads, say), and so many are often served: that is
    // nothing to be told of, and when it is reached the loop does not watch for more.
    bool often_full = false;
    bool blocking_sockets;           // what accept4 makes
    RateGate rate = {};              // the worker's share
    Admission* admission = nullptr;  // none: everybody is let in
    // None: nobody's connection begins with a PROXY header.
    HeaderReader* headers = nullptr;
    bool in_loop = false;  // sessions are: what they answer to datagrams can go together
    // Of datagrams that each of several workers has a copy of this one takes its own.
    bool takes_broadcasts = true;
  };
  // `sessions` counts those not yet over, and what waits for its header; `start` takes an accepted
  // connection.
  Acceptor(EventLoop& loop, Log& log, Rules rules, std::function<std::size_t()> sessions,
           std::function<void(AcceptedConnection&&)> start);
  ~Acceptor();

  struct Socket {
    Fd socket;
    Scheme scheme = Scheme::tcp;
  };
  // Connections that come from now on have this timeout (set_send_timeout()); a new socket is to be
  // given it as soon as it listens, for those that come before. To be called once. Throws
  // std::system_error where a socket cannot be watched.
  void listen(std::vector<Socket> sockets, Duration send_timeout);
  // Starts a connection that has been accepted before, if it is admitted.
  void let_in(AcceptedConnection&& accepted);
  // To be called when a session is over: there may be room again. Where it is often full, takes who
  // waits at once; if nobody does the loop watches again.
  void on_session_end();
  // Where it is often full, the first half of that: after Taken::nobody the loop does not watch.
  // Throws std::system_error for a broken socket.
  [[nodiscard]] Taken take_waiting();
  // What becomes of the connections that wait in the queues: taken, as far as there is room and
  // however high the rate, since closing a socket for good resets them; or left to somebody else
  // who has the socket too.
  enum class Queues { emptied, left };
  // Closes the sockets.
  void close(Queues queues);
  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }

 private:
  class Listener;
  class Filling;
  enum class Pause { no, full, too_fast, try_later };

  void accept_some(Listener& listener);
  void take_some(Listener& listener);
  [[nodiscard]] bool may_accept();
  // False when nothing is to be had at the moment. Throws std::system_error for a broken socket.
  bool accept_one(const Listener& listener);
  [[nodiscard]] bool admits(const Peer& peer) {
    return rules_.admission == nullptr || rules_.admission->admits(peer);
  }
  void start_or_close(AcceptedConnection&& accepted);
  // What waits on a socket of datagrams, at most so many; false when there is no more.
  bool receive_batch(Listener& listener, std::size_t most);
  void start_datagram(const Listener& listener, const DatagramReceiver::Arrived& arrived);
  void empty_queue(Listener& listener);
  bool on_failure(int error);
  void pause(Pause why);
  void resume();
  bool fill_room();
  [[nodiscard]] std::string waiting_place() const;
  void say(std::string text);

  EventLoop& loop_;
  Log& log_;
  Rules rules_;
  std::function<std::size_t()> sessions_;
  std::function<void(AcceptedConnection&&)> start_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unique_ptr<DatagramReceiver> receiver_;  // where any of them takes datagrams
  DatagramLosses losses_;
  Duration send_timeout_ = kUnlimited;
  CallTimer retry_;
  Pause paused_ = Pause::no;
  bool filling_ = false;  // fill_room() or close() takes whom it has room for
  TimePoint last_said_ = TimePoint::min();
  std::uint64_t accepted_ = 0;
};

}  // namespace berth
