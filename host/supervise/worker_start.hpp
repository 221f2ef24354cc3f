// From a fork of the supervisor to a worker that serves: the one place where supervise/ meets
// model/. Runs in the worker's process.
#pragma once

#include <filesystem>
#include <vector>

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/secret.hpp"
#include "net/socket.hpp"
#include "serve/listener_settings.hpp"
#include "serve/rate_gate.hpp"
#include "serve/source_table.hpp"
#include "supervise/worker_board.hpp"

namespace berth {

struct WorkerStart {
  const ListenerSettings& settings;
  unsigned index;                        // 0 … workers-1
  std::filesystem::path handler;         // its file
  std::vector<ListeningSocket> sockets;  // those it accepts from
  Fd channel;                            // the worker's end
  WorkerBoard& board;
  Log& log;
  SourceTable* sources = nullptr;  // of the listener; none where it does not limit its sources
  Secret ticket_keys = {};         // of the listener, where it has TLS (net/tls_server.hpp)
};

// Its part of the listener's max_connections: the parts of all workers add up to the whole.
[[nodiscard]] unsigned share_of(unsigned total, unsigned workers, unsigned index);
// Its part of the rate: all have the same, and of the burst at least 1.
[[nodiscard]] RateGate share_of(const RateLimit& rate, unsigned workers, unsigned index);

// Closes what is not its own, drops its privileges, loads the handler, and serves until told to
// stop; ends the process. Whatever of that fails ends it with the reason told (FromWorker).
[[noreturn]] void run_worker(WorkerStart start);

}  // namespace berth
