// Who was being served when a handler crashed. A signal handler writes it, in the crashing process;
// another process reads it from shared memory, only to show it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "net/address.hpp"

namespace berth {

struct SessionReport;

struct CrashNote {
  // In `signal`: the handler has called exit().
  static constexpr int kExit = -1;

  std::atomic<int> signal{0};  // 0: no crash; written last
  std::uint64_t connection = 0;
  Peer peer;
};

// The session whose handler runs on this thread; null between sessions. The crash handler reads it.
void set_current_session(const SessionReport* report);

// From here on a crash (SEGV, BUS, FPE, ILL, ABRT, SYS, XCPU) of this process writes `note` and
// then kills the process as it would have; so does exit(), which none of the host's own code calls
// here (it ends workers and sessions with _exit()). The note outlives the process.
void catch_crashes(CrashNote& note);
// A stack for the crash handler of the calling thread, since a stack overflow is a crash too.
// Belongs to that thread; catch_crashes() gives the main thread one.
class CrashStack {
 public:
  CrashStack();
  CrashStack(const CrashStack&) = delete;
  CrashStack& operator=(const CrashStack&) = delete;
  ~CrashStack();

 private:
  std::unique_ptr<std::byte[]> memory_;
};

// Before this process forks any that serve: a crash of one of those writes the note that `note` has
// named when it was forked. Where that is none, and in what is forked by those, none is written.
// That variable lasts until the process ends, and is this process's to write: so that the others
// need not, since each page that is written after a fork is a copy made.
void note_crashes_of_forked(CrashNote* const& note);

}  // namespace berth
