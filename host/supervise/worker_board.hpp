// A page shared by the supervisor and one worker. The supervisor only shows what it reads here.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <new>
#include <system_error>

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
  // Written by the worker's main thread alone.
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

struct UnmapBoard {
  void operator()(WorkerBoard* board) const { ::munmap(board, sizeof(WorkerBoard)); }
};
using SharedBoard = std::unique_ptr<WorkerBoard, UnmapBoard>;

// Throws std::system_error where there is no memory.
[[nodiscard]] inline SharedBoard make_board() {
  void* const memory = ::mmap(nullptr, sizeof(WorkerBoard), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  return SharedBoard(new (memory) WorkerBoard);
}

}  // namespace berth
