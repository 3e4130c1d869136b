// Whether a series of measurements grows: the slope of a straight line through it, with a confidence interval.
//
// Neighbouring samples of a process's memory resemble each other, so the textbook interval is far too narrow: it would
// call every slow wobble a leak. The samples are therefore averaged in blocks, and what correlation is left between
// neighbouring blocks widens the interval (as so many fewer independent blocks would). Rejected: comparing the last
// value with the first, which says nothing about noise and needs a tolerance that somebody made up.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace trellis::test {

struct Sample {
  double seconds = 0;
  double value = 0;
};

struct Trend {
  double slope = 0;            // per hour
  double lower = 0, upper = 0; // of its 99 % confidence interval
  double mean = 0;

  bool grows() const { return lower > 0; } // significantly: zero is below the interval
  std::string text(const std::string &unit) const;
};

// `samples`: in the order of time. Throws std::invalid_argument for fewer than two samples in each block, and for
// samples that were all taken at the same time.
Trend trend_of(const std::vector<Sample> &samples, std::size_t blocks = 30);

} // namespace trellis::test
