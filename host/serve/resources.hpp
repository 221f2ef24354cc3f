// `resources` of a listener, set on the process that they are for: that of a session under the fork
// models, else the worker.
#pragma once

#include "serve/listener_settings.hpp"

namespace berth {

// Lowers the calling process's limits, for good and for what it starts. What the system allows less
// of already stays as it is. Async-signal-safe.
void limit_resources(const ResourceLimits& limits);

}  // namespace berth
