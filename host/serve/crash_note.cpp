#include "serve/crash_note.hpp"

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <vector>

#include "serve/session_context.hpp"

namespace berth {

namespace {

thread_local const SessionReport* current_session = nullptr;
std::atomic<CrashNote*> crash_note = nullptr;

// Async-signal-safe: copies plain memory.
void write_note(int signal) {
  CrashNote* const note = crash_note.load();
  if (note == nullptr || note->signal.load() != 0) return;
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

void set_current_session(const SessionReport* report) { current_session = report; }

void catch_crashes(CrashNote& note) {
  crash_note = &note;
  // A stack of its own for the main thread: a stack overflow is a crash too. Never freed, since it
  // is in use until the process ends.
  static std::vector<std::byte> stack(static_cast<std::size_t>(SIGSTKSZ) + 16 * 1024);
  stack_t alternative{};
  alternative.ss_sp = stack.data();
  alternative.ss_size = stack.size();
  ::sigaltstack(&alternative, nullptr);

  struct sigaction action {};
  action.sa_handler = on_crash;
  action.sa_flags = static_cast<int>(SA_ONSTACK | SA_RESETHAND);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS}) {
    ::sigaction(signal, &action, nullptr);
  }
  (void)std::atexit(on_exit_call);
}

void redirect_crash_note(CrashNote& note) { crash_note = &note; }

}  // namespace berth
