// From a fork of the supervisor to a worker that serves: the one place where supervise/ meets
// model/. Runs in the worker's process.
#pragma once

#include <filesystem>
#include <vector>

#include "base/fd.hpp"
#include "base/log.hpp"
#include "serve/listener_settings.hpp"
#include "supervise/worker_board.hpp"

namespace berth {

struct WorkerStart {
  const ListenerSettings& settings;
  unsigned index;                 // 0 … workers-1
  std::filesystem::path handler;  // its file
  std::vector<int> sockets;       // those it accepts from
  Fd channel;                     // the worker's end
  WorkerBoard& board;
  Log& log;
};

// Its part of the listener's max_connections: the parts of all workers add up to the whole.
[[nodiscard]] unsigned share_of(unsigned total, unsigned workers, unsigned index);

// Serves until told to stop; ends the process.
[[noreturn]] void run_worker(WorkerStart start);

}  // namespace berth
