// The listening sockets of all listeners. The supervisor makes and keeps them; workers inherit
// them, so that a worker's death loses nothing that waits in a queue.
#pragma once

#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "supervise/activated_sockets.hpp"
#include "supervise/host_settings.hpp"

namespace berth {

// What one worker accepts from: a socket for each address of its listener; a host name may stand
// for several.
using WorkerSockets = std::vector<Fd>;
// The sockets of one listener, by worker. Several workers share each address, but no socket: a
// worker's queues are its own, and pass to its successor.
using ListeningSockets = std::vector<WorkerSockets>;

// Binds every address of every listener, or none: the error tells all that failed, a line each,
// with their places in the config. Tells the log where each listener really listens. What was
// handed over by a service manager is used in place of a socket bound here; what of it no listener
// wants is told to the log, and closed.
[[nodiscard]] Result<std::vector<ListeningSockets>> bind_all(const HostSettings& settings, Log& log,
                                                             ActivatedSockets activated = {});

}  // namespace berth
