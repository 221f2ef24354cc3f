// The median of some samples and how far it can be trusted.
#pragma once

#include <vector>

namespace berth::bench {

struct Estimate {
  double median = 0;
  double low = 0, high = 0;  // the 95 % confidence interval of the median
};

// From order statistics: nothing is assumed of how the samples are distributed. With fewer than six
// samples no such interval exists, and it spans all of them. No samples give zeros.
Estimate estimate(std::vector<double> samples);

}  // namespace berth::bench
