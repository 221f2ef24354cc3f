// How the host is configured for the benchmark, as text.
#pragma once

#include <string>
#include <vector>

#include "options.hpp"

namespace berth::bench {

// A listener each for these models, on free ports, with the verbatim echo. Each listener takes at
// least `connections` at once, unless its model cannot hold as many.
std::string host_config(const Options& options, const std::vector<std::string>& models,
                        int connections, int workers);

}  // namespace berth::bench
