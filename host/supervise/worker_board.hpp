// A page shared by the supervisor and one worker. The supervisor only shows what it reads here.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <memory>
#include <new>
#include <system_error>

#include "serve/crash_note.hpp"

namespace berth {

struct WorkerBoard {
  CrashNote crash;
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
