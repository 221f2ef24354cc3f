#include "supervise/worker_board.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <new>
#include <system_error>

namespace berth {

namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

// Of the right size, and sure to stay so.
Fd make_memory() {
  Fd memory(::memfd_create("berth worker", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory || ::ftruncate(memory.get(), sizeof(WorkerBoard)) != 0 ||
      ::fcntl(memory.get(), F_ADD_SEALS, kSeals) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make a worker's board");
  }
  return memory;
}

void* map(const Fd& memory) {
  void* const mapped =
      ::mmap(nullptr, sizeof(WorkerBoard), PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  return mapped == MAP_FAILED ? nullptr : mapped;
}

}  // namespace

SharedBoard::SharedBoard() : memory_(make_memory()) {
  void* const mapped = map(memory_);
  if (mapped == nullptr) throw std::system_error(errno, std::generic_category(), "mmap");
  board_ = new (mapped) WorkerBoard;
}

Result<SharedBoard> SharedBoard::adopt(Fd memory) {
  struct stat status {};
  if (::fstat(memory.get(), &status) != 0) return system_error("cannot look at a board", errno);
  if (status.st_size != sizeof(WorkerBoard) || ::fcntl(memory.get(), F_GET_SEALS) != kSeals) {
    return Error{"what was handed over as a worker's board is none of this version's"};
  }
  void* const mapped = map(memory);
  if (mapped == nullptr) return system_error("cannot map a worker's board", errno);
  return SharedBoard(std::move(memory), static_cast<WorkerBoard*>(mapped));
}

SharedBoard::SharedBoard(SharedBoard&& other) noexcept
    : memory_(std::move(other.memory_)), board_(std::exchange(other.board_, nullptr)) {}

SharedBoard& SharedBoard::operator=(SharedBoard&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(board_, other.board_);
  return *this;
}

SharedBoard::~SharedBoard() {
  if (board_ != nullptr) ::munmap(board_, sizeof(WorkerBoard));
}

}  // namespace berth
