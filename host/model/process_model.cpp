#include "model/process_model.hpp"

#include <alloca.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include "base/kept_errno.hpp"
#include "serve/blocking_connection.hpp"
#include "serve/resources.hpp"

namespace berth {

// What worker and session share.
struct ProcessModel::Slot {
  SessionReport report;
  CrashNote crash;
  ClientWait wait;
};

namespace {

// What a session has between being told to end and being killed.
constexpr Duration kGrace = std::chrono::seconds(1);

// Slots for each connection that there may be: beside its process there may be one that is ready
// and two that have been let go and are not gone yet.
constexpr std::size_t kSlotsEach = 4;

// What a message takes of the stack lies in one page of it, and not in two as it would three times
// out of four: each is copied for the session, and looked up anew whenever it has its turn.
constexpr std::size_t kSessionStack = 1536;
constexpr std::size_t kPageSize = 4096;

// What the signal handlers of a session's process work on, beside its connection, which a process
// that waits for its next one does not have. They only set flags and shut the socket down: a system
// call that waits for the client then returns, whenever the signal came.
thread_local StopState* the_stop = nullptr;

pid_t the_worker = 0;

// A thread that a handler has started may be given the signal: it is the session's thread's, which
// has the process's number.
bool is_passed_on(int signal) {
  if (::gettid() == ::getpid()) return false;
  (void)::tgkill(::getpid(), ::getpid(), signal);
  return true;
}

void on_drain(int signal) {
  const KeptErrno kept;
  if (!is_passed_on(signal)) the_stop->drain();
}

void on_cancel(int signal) {
  const KeptErrno kept;
  if (is_passed_on(signal)) return;
  the_stop->cancel();
  if (auto* const served = BlockingConnection::on_this_thread) served->interrupt();
}

// From the worker, when it has given up a wait; and from the kernel when the worker has died, and
// nobody watches the waits any more.
void on_urgent(int signal) {
  const KeptErrno kept;
  BlockingConnection* const served = BlockingConnection::on_this_thread;
  if (is_passed_on(signal) || served == nullptr) return;
  ::getppid() == the_worker ? served->end_if_silent() : served->watch_silence();
}

// In the worker, where SIGTERM and SIGHUP are blocked; its sessions inherit this and unblock them.
void install_session_handlers() {
  struct sigaction action {};
  // Most of the handler's own system calls go on (man 7 signal); its coroutines may have small
  // stacks.
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  action.sa_handler = on_drain;
  ::sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = on_cancel;
  ::sigaction(SIGHUP, &action, nullptr);
  // Few programs have a use for that one, and nothing happens where it comes for no reason.
  action.sa_handler = on_urgent;
  ::sigaction(SIGURG, &action, nullptr);
}

}  // namespace

ProcessModel::ProcessModel(ModelContext context)
    : context_(std::move(context)),
      slots_(kSlotsEach * std::size_t{context_.max_connections}, AfterFork::shared),
      sessions_(slots_.count(), AfterFork::absent),
      next_end_(context_.loop.timers(), [this] { end_old(); }),
      idle_watch_(context_.loop, context_.sessions.settings.idle_timeout,
                  [this](Duration limit, TimePoint now) { return end_silent(limit, now); }) {
  the_worker = ::getpid();
  install_session_handlers();
  map_relocations_from_file();
  ::sigemptyset(&no_signals_);
  // What a handler prints is out at once: a session ends with _exit(), or in a crash.
  (void)std::setvbuf(stdout, nullptr, _IONBF, 0);
  buffers_.take().reset();  // one that all sessions start with
}

ProcessModel::~ProcessModel() = default;

std::optional<ProcessModel::SlotIndex> ProcessModel::take_slot() {
  const SlotIndex index = first_free_ != kNoSlot ? first_free_ : slots_used_;
  if (index == sessions_.count()) {
    errno = EAGAIN;
    return std::nullopt;
  }
  if (index == slots_used_) {
    ++slots_used_;
  } else {
    first_free_ = sessions_[index].next_free;
  }
  sessions_[index] = {};
  return index;
}

void ProcessModel::give_back(SlotIndex index) {
  sessions_[index] = {.next_free = std::exchange(first_free_, index)};
}

[[gnu::hot]] void ProcessModel::start(AcceptedConnection&& accepted) {
  if (give_to_ready(accepted)) return;
  const auto index = take_slot();
  if (index) begin_session(*index, accepted);
  if (!index || !start_process(*index, &accepted)) {
    context_.sessions.log.error("connection {} is closed: cannot start a process: {}", accepted.id,
                                std::strerror(errno));
    if (index) {
      undo_session(*index);
      give_back(*index);
    }
    context_.sessions.give_back(accepted.peer);
    return;
  }
  accepted.socket.reset();  // the session's own copy goes on; watching it may need the number
  const pid_t pid = pid_of(*index);
  if (try_to_watch(*index, pid)) return;
  context_.sessions.log.error("connection {} is closed: its process cannot be watched: {}",
                              accepted.id, std::strerror(errno));
  ::kill(pid, SIGKILL);
  on_process_end(*index, SIGKILL);
}

bool ProcessModel::start_ready(SlotIndex& index) {
  const auto free = take_slot();
  if (!free) return false;
  index = *free;
  new (&slots_[index]) Slot;
  if (!start_process(index, nullptr)) {
    give_back(index);
    return false;
  }
  const pid_t pid = pid_of(index);
  if (try_to_watch(index, pid)) return true;
  ::kill(pid, SIGKILL);
  return false;
}

[[gnu::hot]] bool ProcessModel::start_process(SlotIndex index, AcceptedConnection* first) {
  if (!prepare_process(index) && first == nullptr) return false;
  const pid_t pid = ::fork();
  if (pid == 0) {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    const std::size_t left_of_page = here % kPageSize;  // a stack grows downwards
    if (left_of_page < kSessionStack) {
      void* volatile skipped = ::alloca(left_of_page);
      (void)skipped;
    }
    serve_in_child(index, first);
  }
  if (pid < 0) return false;
  sessions_[index].pid = pid;
  return true;
}

void ProcessModel::begin_session(SlotIndex index, const AcceptedConnection& accepted) {
  Slot& slot = *new (&slots_[index]) Slot;
  slot.report.id = accepted.id;
  slot.report.peer = accepted.peer;
  slot.report.accepted = accepted.accepted;
  const TimePoint end = end_of_session(context_.sessions.settings, accepted.accepted);
  sessions_[index] = {.pid = sessions_[index].pid, .open = true, .due = end};
  ++count_;
  if (end < next_end_.due()) next_end_.arm(end);
  idle_watch_.on_session_start();
}

void ProcessModel::undo_session(SlotIndex index) {
  sessions_[index] = {.pid = sessions_[index].pid};
  --count_;
}

void ProcessModel::end_session(SlotIndex index) {
  on_session_over(context_.sessions, slots_[index].report);
  undo_session(index);
  context_.on_session_end();
}

bool ProcessModel::try_to_watch(SlotIndex index, pid_t pid) {
  try {
    return watch_process(index, pid);
  } catch (const std::bad_alloc&) {
    errno = ENOMEM;
    return false;
  }
}

[[gnu::hot]] void ProcessModel::serve_in_child(SlotIndex index,
                                               AcceptedConnection* first) noexcept {
  // A datagram is answered from the worker's own socket.
  const bool answers = first != nullptr && first->datagram != nullptr;
  const int answers_on = answers ? first->datagram->socket().number() : -1;
  ::close(context_.channel);
  for (const int socket : context_.listening_sockets) {
    if (socket != answers_on) ::close(socket);
  }
  if (context_.close_copies) context_.close_copies();
  Slot& slot = slots_[index];
  redirect_crash_note(slot.crash);
  TimerQueue timers;
  BufferPool buffers = buffers_.inherited();
  the_stop = &context_.sessions.stop;
  (void)::prctl(PR_SET_PDEATHSIG, SIGURG);
  leave_worker(index);
  limit_resources(context_.sessions.settings.resources);
  unsigned served = 0;
  if (first != nullptr) {
    serve(std::move(*first), slot, timers, buffers);
    ++served;
  }
  ::pthread_sigmask(SIG_SETMASK, &no_signals_, nullptr);
  for (; auto accepted = next_connection(served); ++served) {
    serve(std::move(*accepted), slot, timers, buffers);
  }
  ::_exit(0);
}

[[gnu::hot]] void ProcessModel::serve(AcceptedConnection&& accepted, Slot& slot, TimerQueue& timers,
                                      BufferPool& buffers) {
  BlockingConnection connection(context_.sessions, std::move(accepted), timers, buffers, slot.wait);
  BlockingConnection::on_this_thread = &connection;
  ::pthread_sigmask(SIG_SETMASK, &no_signals_, nullptr);
  if (context_.sessions.stop.cancelled()) connection.interrupt();
  if (::getppid() != the_worker) connection.watch_silence();  // it has died already
  connection.serve();
  slot.report = connection.report();
  if (!keeps_processes()) ::_exit(0);
  BlockingConnection::on_this_thread = nullptr;
}

void ProcessModel::on_process_end(SlotIndex index, int signal) {
  on_process_gone(index, signal);
  const bool had_session = sessions_[index].open;
  if (had_session) {
    const Slot& slot = slots_[index];
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
    --count_;
  }
  give_back(index);
  if (had_session) context_.on_session_end();
}

void ProcessModel::send_to_all(int signal) {
  for (SlotIndex index = 0; index < slots_used_; ++index) {
    if (sessions_[index].open) send_signal(index, signal);
  }
}

bool ProcessModel::end_silent(Duration limit, TimePoint now) {
  for (SlotIndex index = 0; index < slots_used_; ++index) {
    Session& session = sessions_[index];
    if (!session.open) continue;
    if (session.seen.give_up_if_over(slots_[index].wait, limit, now)) send_signal(index, SIGURG);
  }
  return count_ > 0;
}

void ProcessModel::end_old() {
  const TimePoint now = context_.loop.now();
  TimePoint next = kNever;
  for (SlotIndex index = 0; index < slots_used_; ++index) {
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
