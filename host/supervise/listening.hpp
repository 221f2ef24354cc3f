// The listening sockets of all listeners. The supervisor makes and keeps them; workers inherit
// them, so that a worker's death loses nothing that waits in a queue.
#pragma once

#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "supervise/host_settings.hpp"

namespace berth {

// The sockets of one listener; a host name may stand for several addresses.
using ListeningSockets = std::vector<Fd>;

// Binds every address of every listener, or none: the error tells all that failed, a line each,
// with their places in the config. Tells the log where each listener really listens.
[[nodiscard]] Result<std::vector<ListeningSockets>> bind_all(const HostSettings& settings,
                                                             Log& log);

}  // namespace berth
