// The tables of results, as text or as Markdown.
#pragma once

#include <string>
#include <vector>

#include "measure.hpp"

namespace berth::bench {

std::string report(const std::vector<Comparison>& comparisons, bool markdown);

}  // namespace berth::bench
