#include "serve/crash_note.hpp"

#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "serve/session_context.hpp"

namespace berth {

namespace {

thread_local const SessionReport* current_session = nullptr;

struct NotePlace {
  std::atomic<CrashNote*> note = nullptr;
  std::atomic<pid_t> owner = 0;  // a process just forked from it has none yet
};
// The process has one, which lies with its main thread's own data: a fork writes to that page
// anyway, so that a session's process needs no copy of another.
thread_local constinit NotePlace main_thread_place;
NotePlace* note_place = nullptr;

// Async-signal-safe: copies plain memory.
void write_note(int signal) {
  CrashNote* const note = note_place->note.load();
  if (note == nullptr || note->signal.load() != 0 || note_place->owner.load() != ::getpid()) return;
  if (const SessionReport* session = current_session) {
    note->connection = session->id;
    note->peer = session->peer;
  }
  note->signal.store(signal);
}

// SA_RESETHAND has put the default action back, so that raising again ends the process as if
// nothing had been caught.
void on_crash(int signal) {
  write_note(signal);
  ::raise(signal);
}

void on_exit_call() { write_note(CrashNote::kExit); }

}  // namespace

[[gnu::hot]] void set_current_session(const SessionReport* report) { current_session = report; }

CrashStack::CrashStack() {
  const auto size = static_cast<std::size_t>(SIGSTKSZ) + std::size_t{16} * 1024;
  memory_.reset(new (std::nothrow) std::byte[size]);
  if (!memory_) return;
  stack_t stack{};
  stack.ss_sp = memory_.get();
  stack.ss_size = size;
  ::sigaltstack(&stack, nullptr);
}

CrashStack::~CrashStack() {
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  ::sigaltstack(&none, nullptr);
}

void catch_crashes(CrashNote& note) {
  note_place = &main_thread_place;
  redirect_crash_note(note);
  static CrashStack main_thread;  // in use until the process ends

  struct sigaction action {};
  action.sa_handler = on_crash;
  action.sa_flags = static_cast<int>(SA_ONSTACK | SA_RESETHAND);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGXCPU}) {
    ::sigaction(signal, &action, nullptr);
  }
  (void)std::atexit(on_exit_call);
}

[[gnu::hot]] void redirect_crash_note(CrashNote& note) {
  note_place->note = &note;
  note_place->owner = ::getpid();
}

}  // namespace berth
