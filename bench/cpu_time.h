// What a pure function costs against its floor: processor time of this process, both in turn, medians.
//
// Processor time, because other work on the machine would only add noise; in turn, because caches and clock rate change
// over a run and must change for both. Rejected: the best round, which hides what an allocator does now and then.
#pragma once

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

namespace trellis::bench {

inline double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

struct Comparison {
  double ours = 0, floor = 0; // nanoseconds of one call
  double spread_ours = 0, spread_floor = 0;
};

// Nanoseconds of one call of `work`, over so many.
template <class Work>
double nanoseconds(const Work &work, int calls) {
  const double start = processor_seconds();
  for (int call = 0; call < calls; ++call)
    work();
  return (processor_seconds() - start) / calls * 1e9;
}

// So many calls that the clock's resolution doesn't matter; also warms up.
template <class Work>
int calls_per_round(const Work &work) {
  constexpr double kRoundNs = 20e6;
  return std::max(1, static_cast<int>(kRoundNs / std::max(nanoseconds(work, 3), 1.0)));
}

template <class Ours, class Floor>
Comparison compare(const Ours &ours, const Floor &floor) {
  constexpr int kRounds = 15;
  const int our_calls = calls_per_round(ours), floor_calls = calls_per_round(floor);
  std::vector<double> a, b;
  for (int round = 0; round < kRounds; ++round) {
    a.push_back(nanoseconds(ours, our_calls));
    b.push_back(nanoseconds(floor, floor_calls));
  }
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  const double median_a = a[kRounds / 2], median_b = b[kRounds / 2];
  return {median_a, median_b, (a.back() - a.front()) / median_a, (b.back() - b.front()) / median_b};
}

// `more`: further members of the JSON object, beginning with a comma.
inline void print(const std::string &bench, const std::string &name, const std::string &floor_is,
                  const Comparison &figures, const std::string &more = "") {
  std::printf("{\"bench\":\"%s\",\"case\":\"%s\",\"unit\":\"ns\",\"ours\":%.0f,\"floor\":%.0f,\"ratio\":%.3f,"
              "\"floor_is\":\"%s\",\"spread_ours\":%.2f,\"spread_floor\":%.2f%s}\n",
              bench.c_str(), name.c_str(), figures.ours, figures.floor, figures.ours / figures.floor, floor_is.c_str(),
              figures.spread_ours, figures.spread_floor, more.c_str());
  std::fflush(stdout);
}

} // namespace trellis::bench
