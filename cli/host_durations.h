// How long requests took, from the buckets that a host counts them in: `durations` of its status answer.
//
// Between two looks only their difference counts, so that a slow minute shows when it happens and not a day later. A
// quantile is found in its bucket by proportion, as Prometheus' histogram_quantile does, so both show the same value.
#pragma once

#include "contracts/json.h"
#include <optional>
#include <string>
#include <vector>

namespace trellis::cli {

struct Durations {
  std::vector<double> bounds; // seconds, ascending
  std::vector<double> counts; // of each bucket, the last one beyond all bounds
};

// nullopt: there are none, or they are malformed.
std::optional<Durations> read_durations(const JsonValue &plugin);
// What was counted since `before`; nullopt when that is another or a later count.
std::optional<Durations> durations_since(const Durations &now, const Durations &before);
// `share` of all requests took at most so many seconds; beyond the last bound it is that bound. nullopt without
// requests.
std::optional<double> quantile(const Durations &durations, double share);
// "0.42 ms", "12 ms", "1.3 s", and "> 10 s" beyond the last bound; "" for nullopt.
std::string quantile_text(const Durations &durations, double share);

} // namespace trellis::cli
