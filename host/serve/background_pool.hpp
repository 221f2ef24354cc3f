// Threads for what the sessions of an event loop must not do in it: calls that block, and long
// calculations (berth_host.background). One pool a worker, made and used on the loop's thread; the
// threads are started when first needed and stay until the pool ends. Models whose sessions have a
// thread or a process to themselves need no pool, and a worker that forks must have none.
//
// A call that never returns takes its thread with it: when all have gone that way, later calls wait
// until the drain's deadline.
#pragma once

#include <berth/abi.h>

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/fd.hpp"
#include "serve/event_loop.hpp"
#include "serve/session_context.hpp"

namespace berth {

class BackgroundPool {
 public:
  // Twice the processors, since most calls will wait for something else, and at least four, so that
  // a few slow ones do not hold up the rest on a small machine.
  [[nodiscard]] static std::size_t usual_size();

  // `on_end` is called on the loop's thread, in a later turn, with each operation whose call is
  // over: `error` says whether it was made, 0, or not, ECANCELED. Throws std::system_error where
  // there are no descriptors left.
  BackgroundPool(Demultiplexer& demultiplexer, std::function<void(berth_operation&)> on_end,
                 std::size_t most_threads = usual_size());
  BackgroundPool(const BackgroundPool&) = delete;
  BackgroundPool& operator=(const BackgroundPool&) = delete;
  // Waits for calls that run; those that still wait are not made. A worker that must not wait ends
  // with _exit() instead.
  ~BackgroundPool();

  // Has a thread make the call that `operation` names, for that session: a crash is its own. `kept`
  // is let go on the loop's thread once that is told of, or not made. False where there is no
  // thread, nor can one be started. Throws std::bad_alloc.
  [[nodiscard]] bool start(berth_operation& operation, const SessionReport& session,
                           std::shared_ptr<void> kept = nullptr);

  // Ends the calls that no thread has begun with ECANCELED, which is told as any other end.
  void cancel_waiting();

  [[nodiscard]] std::size_t threads() const { return threads_.size(); }
  // Whether a call has not returned yet, so that this could not end at once.
  [[nodiscard]] bool busy() const;

 private:
  struct Call {
    berth_operation& operation;
    const SessionReport& session;
    std::shared_ptr<void> kept;
  };
  // Calls go from list to list as they are: the threads allocate nothing and cannot fail.
  using Calls = std::list<Call>;

  [[nodiscard]] bool start_thread();
  void run_thread();
  void hand_back(Calls& calls);
  void on_ended();

  const std::function<void(berth_operation&)> on_end_;
  const std::size_t most_threads_;
  std::vector<std::thread> threads_;
  Fd ended_event_;  // an eventfd: `ended_` is not empty
  CallWatcher on_ended_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable work_;
  Calls waiting_;
  Calls ended_;
  std::size_t idle_ = 0;     // threads that wait for work_
  std::size_t running_ = 0;  // calls that have begun and not returned
  bool closing_ = false;
};

}  // namespace berth
