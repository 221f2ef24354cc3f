#include "model/process_model.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <system_error>

#include "serve/blocking_connection.hpp"
#include "serve/resources.hpp"

namespace berth {

// What worker and session share.
struct ProcessModel::Slot {
  SessionReport report;
  CrashNote crash;
};

// One slot for each session that there may be. Pages that no session has used cost nothing.
class ProcessModel::SharedSlots {
 public:
  explicit SharedSlots(std::size_t count) : size_(count * sizeof(Slot)) {
    void* const memory =
        ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    slots_ = static_cast<Slot*>(memory);
  }
  SharedSlots(const SharedSlots&) = delete;
  SharedSlots& operator=(const SharedSlots&) = delete;
  ~SharedSlots() { ::munmap(slots_, size_); }

  Slot& operator[](std::size_t index) { return slots_[index]; }

 private:
  std::size_t size_;
  Slot* slots_;
};

namespace {

// What a session has between being told to end and being killed.
constexpr Duration kGrace = std::chrono::seconds(1);

// What the signal handlers of a session's process work on. They only set flags and shut the socket
// down: a system call that waits for the client then returns, whenever the signal came. They lie
// with the thread's own data, a page that a fork writes to anyway.
thread_local BlockingConnection* the_connection = nullptr;
thread_local StopState* the_stop = nullptr;

void on_drain(int) { the_stop->drain(); }

void on_cancel(int) {
  the_stop->cancel();
  the_connection->interrupt();
}

// In the worker, where the signals are blocked; its sessions inherit this and unblock them.
void install_session_handlers() {
  struct sigaction action {};
  action.sa_flags = SA_RESTART;  // most of the handler's own system calls go on (man 7 signal)
  action.sa_handler = on_drain;
  ::sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = on_cancel;
  ::sigaction(SIGHUP, &action, nullptr);
}

}  // namespace

ProcessModel::ProcessModel(ModelContext context)
    : context_(std::move(context)),
      slots_(std::make_unique<SharedSlots>(context_.max_connections)),
      next_end_(context_.loop.timers(), [this] { end_old(); }) {
  install_session_handlers();
  ::sigemptyset(&no_signals_);
  // What a handler prints is out at once: a session ends with _exit(), or in a crash.
  (void)std::setvbuf(stdout, nullptr, _IONBF, 0);
  buffers_.take().reset();  // one that all sessions start with
}

ProcessModel::~ProcessModel() = default;

ProcessModel::SlotIndex ProcessModel::take_slot() {
  if (free_.empty()) {
    // Room for the day when all are free, since then there may be no memory.
    if (free_.capacity() <= sessions_.size()) free_.reserve(2 * sessions_.size() + 1);
    sessions_.emplace_back();
    return sessions_.size() - 1;
  }
  const SlotIndex index = free_.back();
  free_.pop_back();
  return index;
}

void ProcessModel::start(AcceptedConnection accepted) {
  const SlotIndex index = take_slot();
  Slot& slot = *new (&(*slots_)[index]) Slot;
  slot.report.id = accepted.id;
  slot.report.peer = accepted.peer;
  slot.report.accepted = accepted.accepted;
  const pid_t pid = ::fork();
  if (pid == 0) serve_in_child(std::move(accepted), slot);
  if (pid < 0) {
    context_.sessions.log.error("connection {} is closed: cannot start a process: {}", accepted.id,
                                std::strerror(errno));
    free_.push_back(index);
    context_.sessions.give_back(accepted.peer);
    return;
  }
  accepted.socket.reset();  // the session's own copy goes on; watching it may need the number
  const TimePoint end = end_of_session(context_.sessions.settings, accepted.accepted);
  sessions_[index] = {.pid = pid, .due = end};
  ++count_;
  if (end < next_end_.due()) next_end_.arm(end);
  if (try_to_watch(index, pid)) return;
  context_.sessions.log.error("connection {} is closed: its process cannot be watched: {}",
                              accepted.id, std::strerror(errno));
  ::kill(pid, SIGKILL);
  on_process_end(index, SIGKILL);
}

bool ProcessModel::try_to_watch(SlotIndex index, pid_t pid) {
  try {
    return watch_process(index, pid);
  } catch (const std::bad_alloc&) {
    errno = ENOMEM;
    return false;
  }
}

void ProcessModel::serve_in_child(AcceptedConnection accepted, Slot& slot) noexcept {
  for (const int descriptor : context_.worker_descriptors) ::close(descriptor);
  redirect_crash_note(slot.crash);
  TimerQueue timers;
  BufferPool buffers(std::move(buffers_));
  BlockingConnection connection(context_.sessions, std::move(accepted), timers, buffers);
  the_connection = &connection;
  the_stop = &context_.sessions.stop;
  leave_worker();
  limit_resources(context_.sessions.settings.resources);
  ::sigprocmask(SIG_SETMASK, &no_signals_, nullptr);

  connection.serve();
  slot.report = connection.report();
  ::_exit(0);
}

void ProcessModel::on_process_end(SlotIndex index, int signal) {
  const Slot& slot = (*slots_)[index];
  SessionReport report = slot.report;
  if (report.end == SessionEnd::running) {
    const int noted = slot.crash.signal;
    report.error = signal != 0 ? signal : noted;
    report.end = noted == CrashNote::kExit                          ? SessionEnd::exited
                 : sessions_[index].stage == Session::Stage::killed ? SessionEnd::killed
                 : report.error != 0                                ? SessionEnd::crashed
                                                                    : SessionEnd::vanished;
  }
  on_session_over(context_.sessions, report);
  sessions_[index] = {};
  free_.push_back(index);
  --count_;
  context_.on_session_end();
}

void ProcessModel::send_to_all(int signal) {
  for (SlotIndex index = 0; index < sessions_.size(); ++index) {
    if (sessions_[index].pid != 0) send_signal(index, signal);
  }
}

void ProcessModel::end_old() {
  const TimePoint now = context_.loop.now();
  TimePoint next = kNever;
  for (SlotIndex index = 0; index < sessions_.size(); ++index) {
    if (sessions_[index].due <= now) advance(index, now);
    next = std::min(next, sessions_[index].due);
  }
  next_end_.arm(next);
}

// To the next stage of a session that has lasted too long.
void ProcessModel::advance(SlotIndex index, TimePoint now) {
  Session& session = sessions_[index];
  switch (session.stage) {
    case Session::Stage::running:
      session.stage = Session::Stage::told;
      session.due = after(now, kGrace);
      return send_signal(index, SIGHUP);
    case Session::Stage::told:
      session.stage = Session::Stage::killed;
      session.due = kNever;
      return send_signal(index, SIGKILL);
    case Session::Stage::killed:
      return;
  }
}

void ProcessModel::begin_drain() {
  context_.sessions.stop.drain();
  send_to_all(SIGTERM);
}
void ProcessModel::cancel_sessions() { send_to_all(SIGHUP); }
void ProcessModel::kill_sessions() { send_to_all(SIGKILL); }

}  // namespace berth
