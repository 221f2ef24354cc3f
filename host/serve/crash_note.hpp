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

// In a session process: the note is this one now.
void redirect_crash_note(CrashNote& note);

}  // namespace berth
