#include "statistics.hpp"

#include <algorithm>
#include <cmath>

namespace berth::bench {
namespace {

// How many samples may be cut off at either end so that the true median still lies within the rest
// with 95 %: the largest k with P(Binomial(n, 1/2) < k) <= 2.5 %.
std::size_t samples_cut_off(std::size_t count) {
  double probability = std::pow(0.5, static_cast<double>(count));
  double below = 0;
  for (std::size_t k = 0; k < count; ++k) {
    below += probability;
    if (below > 0.025) return k;
    probability *= static_cast<double>(count - k) / static_cast<double>(k + 1);
  }
  return 0;
}

}  // namespace

Estimate estimate(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  const std::size_t count = samples.size();
  const double median = (samples[(count - 1) / 2] + samples[count / 2]) / 2;
  // The k-th smallest and the k-th largest bound it; k = 0 is no bound at all, and takes the
  // extremes.
  const std::size_t outer = std::max<std::size_t>(samples_cut_off(count), 1) - 1;
  return {median, samples[outer], samples[count - 1 - outer]};
}

}  // namespace berth::bench
