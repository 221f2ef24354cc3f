// How long the host takes from its start until it serves.
#pragma once

#include "measure.hpp"

namespace berth::bench {

// In seconds, from the start of the process until each of four listeners, each of another model,
// has answered a first message. Throws Failure.
Estimate measure_start(const Options& options, const Progress& progress);

}  // namespace berth::bench
