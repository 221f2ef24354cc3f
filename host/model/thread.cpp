// The models whose sessions are threads of the worker. A thread that is through with one connection
// waits for the next, since making a thread costs more than waking one: under `thread`, where there
// may be any number, for a while; under `thread-pool` and `sync`, which is a pool of one, for ever.
// Where all threads of a pool are busy, the first that is through takes its next connection itself:
// to have the main thread take it would cost two switches between threads. A pool of one waits for
// it as well.
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <list>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>

#include "base/kept_errno.hpp"
#include "model/rows.hpp"
#include "serve/blocking_connection.hpp"
#include "serve/crash_note.hpp"
#include "serve/event_loop.hpp"

namespace berth {

namespace {

constexpr std::chrono::seconds kForAWhile{10};
constexpr auto kForEver = std::chrono::hours(24 * 365);
// When to look again for sessions that were on their way to a thread.
constexpr Duration kSoon = std::chrono::milliseconds(10);

class ThreadModel final : public Model {
 public:
  // `patience`: how long a thread waits for its next connection before it ends. `pool`: how many
  // threads there are at most; 0: any number.
  ThreadModel(ModelContext context, std::chrono::seconds patience, unsigned pool);
  ~ThreadModel() override;
  void start(AcceptedConnection&& accepted) override;
  [[nodiscard]] std::size_t sessions() const override { return sessions_; }
  void begin_drain() override { context_.sessions.stop.drain(); }
  void cancel_sessions() override;

 private:
  class Registration;
  [[nodiscard]] std::string start_thread();
  void run_thread();
  void serve(AcceptedConnection&& accepted, BufferPool& buffers);
  [[nodiscard]] bool count_end();
  void tell_main_thread();
  [[nodiscard]] bool take_next();
  [[nodiscard]] Taken take_waiting();
  [[nodiscard]] bool end_silent(Duration limit, TimePoint now);
  void end_old();
  [[nodiscard]] TimePoint interrupt_old(TimePoint now);

  ModelContext context_;
  const std::chrono::seconds patience_;
  const bool takes_next_;  // see take_next()
  // By a pool of one: the listening sockets, the drain and, last, who puts something into the
  // queue.
  std::vector<pollfd> awaited_;
  Fd queued_;            // an eventfd, for that
  bool awaits_ = false;  // under the loop's lock
  Fd ended_;             // an eventfd: the main thread has to look at sessions()
  CallWatcher on_ended_;
  CallTimer end_of_oldest_;  // for session_timeout
  IdleWatch idle_watch_;
  std::atomic<std::size_t> sessions_{0};

  std::mutex mutex_;  // guards what follows
  std::condition_variable work_;
  std::condition_variable last_thread_gone_;
  std::deque<AcceptedConnection> waiting_;
  std::size_t idle_ = 0;  // threads that wait for work_
  std::size_t threads_ = 0;
  bool closing_ = false;
  struct Serving {
    BlockingConnection* connection;
    ClientWait* wait;
    pthread_t thread;
    SeenWait seen = {};
  };
  std::list<Serving> serving_;
};

void forget_events(const Fd& event) {
  eventfd_t count;
  (void)::eventfd_read(event.get(), &count);
}

// From the main thread, when it has given up a wait.
void on_wait_given_up(int) {
  const KeptErrno kept;
  if (auto* const served = BlockingConnection::on_this_thread) served->end_if_silent();
}

void install_session_handler() {
  struct sigaction action {};
  action.sa_flags = SA_RESTART | SA_ONSTACK;  // as those of a session's process
  action.sa_handler = on_wait_given_up;
  ::sigaction(SIGURG, &action, nullptr);
}

// On this thread, where a handler that was served before may have left it blocked.
void let_session_signal_in() {
  sigset_t urgent;
  ::sigemptyset(&urgent);
  ::sigaddset(&urgent, SIGURG);
  ::pthread_sigmask(SIG_UNBLOCK, &urgent, nullptr);
}

// While it lives, its connection can be interrupted by the main thread, and its thread signalled.
class ThreadModel::Registration {
 public:
  Registration(ThreadModel& model, BlockingConnection& connection, ClientWait& wait,
               bool waits_for_client)
      : model_(model) {
    {
      const std::scoped_lock lock(model_.mutex_);
      const Serving serving{&connection, &wait, ::pthread_self()};
      place_ = model_.serving_.insert(model_.serving_.end(), serving);
    }
    BlockingConnection::on_this_thread = &connection;
    if (waits_for_client) let_session_signal_in();
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  ~Registration() {
    BlockingConnection::on_this_thread = nullptr;
    const std::scoped_lock lock(model_.mutex_);
    model_.serving_.erase(place_);
  }

 private:
  ThreadModel& model_;
  std::list<Serving>::iterator place_;
};

ThreadModel::ThreadModel(ModelContext context, std::chrono::seconds patience, unsigned pool)
    : context_(std::move(context)),
      patience_(patience),
      // What waits for its PROXY header is a connection too, but no session.
      takes_next_(context_.max_connections == pool &&
                  context_.sessions.settings.proxy_from.empty()),
      ended_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      on_ended_([this] {
        forget_events(ended_);
        // A thread that waits by itself does what this would. In a drain it takes nobody.
        if (!awaits_ || context_.sessions.stop.draining()) context_.on_session_end();
      }),
      end_of_oldest_(context_.loop.timers(), [this] { end_old(); }),
      idle_watch_(context_.loop, context_.sessions.settings.idle_timeout,
                  [this](Duration limit, TimePoint now) { return end_silent(limit, now); }) {
  if (!ended_ || !context_.sessions.stop.make_events()) {
    throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  install_session_handler();
  on_ended_.start(context_.loop.demultiplexer(), ended_.get());
  if (!takes_next_) return;
  context_.loop.admit_guests();
  if (context_.max_connections > 1) return;
  for (const int number : context_.listening_sockets) awaited_.push_back({number, POLLIN, 0});
  awaited_.push_back({context_.sessions.stop.drain_event(), POLLIN, 0});
  queued_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!queued_) throw std::system_error(errno, std::generic_category(), "eventfd");
  awaited_.push_back({queued_.get(), POLLIN, 0});
}

// Only idle threads are left by now, and the drain has begun, for one that waits in take_next(): a
// worker with sessions ends with _exit().
ThreadModel::~ThreadModel() {
  std::unique_lock lock(mutex_);
  closing_ = true;
  work_.notify_all();
  last_thread_gone_.wait(lock, [this] { return threads_ == 0; });
}

void ThreadModel::start(AcceptedConnection&& accepted) {
  const TimePoint end = end_of_session(context_.sessions.settings, accepted.accepted);
  if (end < end_of_oldest_.due()) end_of_oldest_.arm(end);
  idle_watch_.on_session_start();
  std::unique_lock lock(mutex_);
  waiting_.push_back(std::move(accepted));
  ++sessions_;
  // Where there are as many threads as sessions may be, one is just through with another.
  if (idle_ >= waiting_.size() || threads_ >= context_.max_connections) {
    lock.unlock();  // or whoever wakes would have to wait for it
    if (awaits_) (void)::eventfd_write(queued_.get(), 1);
    return work_.notify_one();
  }
  const std::string failure = start_thread();
  if (failure.empty()) return;
  Log& log = context_.sessions.log;
  if (threads_ > 0) {  // the next one that is through takes it
    return log.warn("connection {} waits: cannot start a thread: {}", waiting_.back().id, failure);
  }
  log.error("connection {} is closed: cannot start a thread: {}", waiting_.back().id, failure);
  context_.sessions.give_back(waiting_.back().peer);
  waiting_.pop_back();
  if (count_end()) tell_main_thread();
}

// With the lock held. The system's words where there is no thread to be had, else "".
std::string ThreadModel::start_thread() {
  ++threads_;
  try {
    std::thread([this] { run_thread(); }).detach();
    return "";
  } catch (const std::system_error& failure) {
    --threads_;
    return std::strerror(failure.code().value());
  } catch (const std::bad_alloc&) {
    --threads_;
    return std::strerror(ENOMEM);
  }
}

void ThreadModel::run_thread() {
  const CrashStack crash_stack;
  BufferPool buffers;
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    work_.wait_for(lock, patience_, [this] { return !waiting_.empty() || closing_; });
    --idle_;
    if (waiting_.empty()) break;
    AcceptedConnection accepted = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    serve(std::move(accepted), buffers);
    if (count_end() && !(takes_next_ && take_next())) tell_main_thread();
    lock.lock();
  }
  if (--threads_ == 0) last_thread_gone_.notify_all();
}

void ThreadModel::serve(AcceptedConnection&& accepted, BufferPool& buffers) {
  SessionContext& sessions = context_.sessions;
  const std::uint64_t id = accepted.id;
  const Peer peer = accepted.peer;
  const bool waits_for_client = accepted.datagram == nullptr;  // else no signal is for it
  SessionReport report;
  try {
    TimerQueue timers;
    ClientWait wait;
    BlockingConnection connection(sessions, std::move(accepted), timers, buffers, wait);
    const Registration registration(*this, connection, wait, waits_for_client);
    const TimePoint end = end_of_session(sessions.settings, connection.report().accepted);
    const bool is_too_late = end != kNever && end <= Clock::now();  // no thread was free so long
    if (is_too_late || sessions.stop.cancelled()) connection.interrupt();
    connection.serve();
    report = connection.report();
  } catch (const std::bad_alloc&) {
    sessions.log.error("connection {} is closed: {}", id, std::strerror(ENOMEM));
    sessions.give_back(peer);
    return;
  }
  on_session_over(sessions, report);
}

// Whether the main thread may be waiting for this: at the limit, towards which what waits for a
// PROXY header counts too, and in a drain.
bool ThreadModel::count_end() {
  const std::size_t before = sessions_.fetch_sub(1);
  const SessionContext& sessions = context_.sessions;
  const bool below_limit =
      before < context_.max_connections && sessions.settings.proxy_from.empty();
  return !below_limit || sessions.stop.draining();
}

void ThreadModel::tell_main_thread() { (void)::eventfd_write(ended_.get(), 1); }

// On a session's thread: who waits is put into the queue. Accepting has paused since all threads
// were busy, and stays so for a pool of one, whose thread waits here. False where the main thread
// has to see to it.
bool ThreadModel::take_next() {
  for (;;) {
    const Taken taken = take_waiting();
    if (taken != Taken::nobody || awaited_.empty()) return taken == Taken::full;
    (void)::poll(awaited_.data(), awaited_.size(), -1);
    if (awaited_.back().revents != 0) forget_events(queued_);
  }
}

Taken ThreadModel::take_waiting() {
  const EventLoop::Guest guest(context_.loop);
  awaits_ = false;
  Taken taken = Taken::not_now;
  try {
    taken = context_.take_waiting();
  } catch (const std::exception&) {  // the main thread is told, and tries the same
  }
  awaits_ = taken == Taken::nobody && !awaited_.empty();
  return taken;
}

bool ThreadModel::end_silent(Duration limit, TimePoint now) {
  const std::scoped_lock lock(mutex_);
  for (Serving& one : serving_) {
    if (!one.seen.give_up_if_over(*one.wait, limit, now)) continue;
#ifdef __SANITIZE_THREAD__
    // It calls a signal's handler when the system call is over, and not before.
    one.connection->end_if_silent();
#endif
    (void)::pthread_kill(one.thread, SIGURG);
  }
  return sessions_ > 0;
}

void ThreadModel::end_old() { end_of_oldest_.arm(interrupt_old(context_.loop.now())); }

// Interrupts the sessions whose time is over. When the next one's will be; kNever if none is seen.
TimePoint ThreadModel::interrupt_old(TimePoint now) {
  const ListenerSettings& settings = context_.sessions.settings;
  const std::scoped_lock lock(mutex_);
  TimePoint next = kNever;
  for (const Serving& one : serving_) {
    if (one.connection->interrupted()) continue;
    const TimePoint end = end_of_session(settings, one.connection->report().accepted);
    if (end <= now) {
      one.connection->interrupt();
    } else {
      next = std::min(next, end);
    }
  }
  // Those that wait for a thread look at the clock themselves when they get one, in serve().
  for (const AcceptedConnection& connection : waiting_) {
    const TimePoint end = end_of_session(settings, connection.accepted);
    if (end > now) next = std::min(next, end);
  }
  // One that is neither here nor there is just being taken to its thread.
  const bool all_seen = serving_.size() + waiting_.size() >= sessions_;
  return all_seen ? next : std::min(next, after(now, kSoon));
}

void ThreadModel::cancel_sessions() {
  context_.sessions.stop.cancel();
  const std::scoped_lock lock(mutex_);
  for (const Serving& one : serving_) one.connection->interrupt();
}

}  // namespace

const ModelRow kThreadModel = {
    .name = "thread",
    .summary = "a thread for each connection",
    .isolates = "nothing: a crash ends all connections of the worker",
    .shares = "memory and the handler's state, which needs locks or atomics",
    .costs = "some KiB of memory a connection, and a thread of the kernel's",
    .choose = "long or CPU-bound work that shares state; some thousand connections",
    .blocking_sockets = true,
    .process_per_session = false,
    .descriptors_per_connection = 1,
    .keys = {},
    .most_sessions = any_number,
    .make_loop = make_epoll_loop,
    .make = [](ModelContext context) -> std::unique_ptr<Model> {
      return std::make_unique<ThreadModel>(std::move(context), kForAWhile, 0);
    },
    .objection = [](const ListenerSettings&) { return std::optional<std::string>(); },
};

namespace {

std::unique_ptr<Model> make_pool(ModelContext context, unsigned threads) {
  return std::make_unique<ThreadModel>(std::move(context), kForEver, threads);
}

constexpr std::string_view kPoolKeys[] = {"threads"};

}  // namespace

const ModelRow kThreadPoolModel = {
    .name = "thread-pool",
    .summary = "so many threads (`threads`), each with one connection at a time",
    .isolates = "nothing: a crash ends all connections of the worker",
    .shares = "memory and the handler's state, which needs locks or atomics",
    .costs = "a thread of the kernel's each, at most; further clients wait in the backlog",
    .choose = "short requests whose work is to be bounded, as by a database's connections",
    .blocking_sockets = true,
    .process_per_session = false,
    .descriptors_per_connection = 1,
    .keys = kPoolKeys,
    .most_sessions = [](const ListenerSettings& settings) { return settings.threads; },
    .make_loop = make_epoll_loop,
    .make =
        [](ModelContext context) {
          const unsigned threads = context.sessions.settings.threads;
          return make_pool(std::move(context), threads);
        },
    .objection = [](const ListenerSettings&) { return std::optional<std::string>(); },
};

const ModelRow kSyncModel = {
    .name = "sync",
    .summary = "one connection after another",
    .isolates = "nothing: a crash ends the worker, which serves one connection",
    .shares = "memory and the handler's state, which nobody else uses meanwhile",
    .costs = "next to nothing; each client waits until the one before it has been served",
    .choose = "work that must not overlap, a device say; to begin with, and to compare with",
    .blocking_sockets = true,
    .process_per_session = false,
    .descriptors_per_connection = 1,
    .keys = {},
    .most_sessions = [](const ListenerSettings&) { return 1u; },
    .make_loop = make_epoll_loop,
    .make = [](ModelContext context) { return make_pool(std::move(context), 1); },
    .objection = [](const ListenerSettings&) { return std::optional<std::string>(); },
};

}  // namespace berth
