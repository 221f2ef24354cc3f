// What was measured, as tables for people and as lines for programs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "measure.hpp"

namespace berth::bench {

struct Results {
  std::vector<Comparison> comparisons;
  std::optional<Estimate> start;  // in seconds
};

// As text or as Markdown.
std::string report(const Results& results, bool markdown);

// Comma-separated values under a line of titles, after lines that begin with # and tell of the
// machine and the day.
std::string csv(const Results& results, int rounds);

}  // namespace berth::bench
