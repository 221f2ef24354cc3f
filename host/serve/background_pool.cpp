#include "serve/background_pool.hpp"

#include <signal.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "serve/crash_note.hpp"

namespace berth {

namespace {

// While it lives, threads that are started get no signals but those of a crash of their own, which
// have to reach the crash handler: what is sent to the process is for the loop's thread to take.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t blocked;
    ::sigfillset(&blocked);
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP}) {
      ::sigdelset(&blocked, signal);
    }
    ::pthread_sigmask(SIG_SETMASK, &blocked, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

std::size_t BackgroundPool::usual_size() {
  return std::max<std::size_t>(4, std::size_t{2} * std::thread::hardware_concurrency());
}

BackgroundPool::BackgroundPool(Demultiplexer& demultiplexer,
                               std::function<void(berth_operation&)> on_end,
                               std::size_t most_threads)
    : on_end_(std::move(on_end)),
      most_threads_(most_threads),
      ended_event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      on_ended_([this] { on_ended(); }) {
  if (!ended_event_) throw std::system_error(errno, std::generic_category(), "eventfd");
  threads_.reserve(most_threads_);
  on_ended_.start(demultiplexer, ended_event_.get());
}

BackgroundPool::~BackgroundPool() {
  {
    const std::scoped_lock lock(mutex_);
    closing_ = true;
    waiting_.clear();
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool BackgroundPool::start(berth_operation& operation, const SessionReport& session,
                           std::shared_ptr<void> kept) {
  Calls call;
  call.push_back({operation, session, std::move(kept)});
  const std::scoped_lock lock(mutex_);
  if (idle_ <= waiting_.size() && !start_thread() && threads_.empty()) return false;
  waiting_.splice(waiting_.end(), call);
  work_.notify_one();
  return true;
}

// Where there is a thread already the call can wait for that one instead.
bool BackgroundPool::start_thread() {
  if (threads_.size() == most_threads_) return false;
  const SignalsBlocked inherited;
  try {
    threads_.emplace_back([this] { run_thread(); });
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

void BackgroundPool::run_thread() {
  const CrashStack crash_stack;
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    work_.wait(lock, [this] { return !waiting_.empty() || closing_; });
    --idle_;
    if (closing_) return;
    Calls mine;
    mine.splice(mine.end(), waiting_, waiting_.begin());
    ++running_;
    lock.unlock();
    const Call& call = mine.front();
    set_current_session(&call.session);
    call.operation.bytes.call.function(call.operation.bytes.call.argument);
    set_current_session(nullptr);
    call.operation.error = 0;
    lock.lock();
    --running_;
    hand_back(mine);
  }
}

bool BackgroundPool::busy() const {
  const std::scoped_lock lock(mutex_);
  return running_ > 0;
}

void BackgroundPool::cancel_waiting() {
  const std::scoped_lock lock(mutex_);
  for (Call& call : waiting_) call.operation.error = ECANCELED;
  hand_back(waiting_);
}

// With the lock held. The loop is woken once for all that it has not taken yet.
void BackgroundPool::hand_back(Calls& calls) {
  if (calls.empty()) return;
  if (ended_.empty()) (void)::eventfd_write(ended_event_.get(), 1);
  ended_.splice(ended_.end(), calls);
}

void BackgroundPool::on_ended() {
  eventfd_t ignored;
  (void)::eventfd_read(ended_event_.get(), &ignored);
  Calls ended;
  {
    const std::scoped_lock lock(mutex_);
    ended.swap(ended_);
  }
  for (const Call& call : ended) on_end_(call.operation);
}

}  // namespace berth
