// A page shared by the supervisor and one worker. The supervisor only shows what it reads here.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "serve/admission.hpp"
#include "serve/crash_note.hpp"

namespace berth {

// What a worker has done since its process was started.
struct WorkerCounters {
  std::uint64_t accepted = 0;  // connections
  std::uint64_t open = 0;      // of them, those not yet over when it last counted
  std::uint64_t denied_by_address = 0;
  std::uint64_t denied_per_source = 0;
};

struct WorkerBoard {
  CrashNote crash;
  // Written by the worker alone, in its loop or as a guest of it.
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> open{0};
  DenialCounters denied;

  [[nodiscard]] WorkerCounters counters() const {
    return {accepted, open, denied.of(Denial::address), denied.of(Denial::source)};
  }
  // For the next process of the worker.
  void clear() {
    crash.signal = 0;
    crash.connection = 0;
    accepted = 0;
    open = 0;
    denied.clear();
  }
};

// The board in the supervisor. It has a descriptor, so that it outlives an exec of the supervisor;
// sealed (man 2 memfd_create), so that no worker can take it away under the supervisor's eyes.
class SharedBoard {
 public:
  // Throws std::system_error where there is no memory or no descriptor.
  SharedBoard();
  // One that was handed over. The error says why the descriptor is no board of this version's.
  [[nodiscard]] static Result<SharedBoard> adopt(Fd memory);

  SharedBoard(SharedBoard&& other) noexcept;
  SharedBoard& operator=(SharedBoard&& other) noexcept;
  ~SharedBoard();

  WorkerBoard& operator*() const { return *board_; }
  WorkerBoard* operator->() const { return board_; }
  [[nodiscard]] int descriptor() const { return memory_.get(); }

 private:
  SharedBoard(Fd memory, WorkerBoard* board) : memory_(std::move(memory)), board_(board) {}

  Fd memory_;
  WorkerBoard* board_;
};

}  // namespace berth
