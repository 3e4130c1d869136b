#include "host_durations.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

// nullopt: not an array of numbers of at least 0.
std::optional<std::vector<double>> numbers(const JsonValue &object, std::string_view name) {
  const auto *list = find_member(object, name);
  if (!list || !list->IsArray()) return std::nullopt;
  std::vector<double> out;
  for (const auto &value : list->GetArray()) {
    if (!value.IsNumber() || value.GetDouble() < 0) return std::nullopt;
    out.push_back(value.GetDouble());
  }
  return out;
}

double total(const Durations &durations) {
  return std::accumulate(durations.counts.begin(), durations.counts.end(), 0.0);
}

std::string seconds_text(double seconds) {
  const bool is_short = seconds < 1;
  const double shown = is_short ? seconds * 1000 : seconds;
  char text[48];
  std::snprintf(text, sizeof text,
                shown < 1    ? "%.2f %s"
                : shown < 10 ? "%.1f %s"
                             : "%.0f %s",
                shown, is_short ? "ms" : "s");
  return text;
}

} // namespace

std::optional<Durations> read_durations(const JsonValue &plugin) {
  const auto *given = find_member(plugin, "durations");
  if (!given) return std::nullopt;
  auto bounds = numbers(*given, "bounds"), counts = numbers(*given, "counts");
  if (!bounds || !counts || counts->size() != bounds->size() + 1 || !std::ranges::is_sorted(*bounds))
    return std::nullopt;
  return Durations{std::move(*bounds), std::move(*counts)};
}

std::optional<Durations> durations_since(const Durations &now, const Durations &before) {
  if (now.bounds != before.bounds) return std::nullopt;
  Durations out{now.bounds, now.counts};
  for (std::size_t i = 0; i < out.counts.size(); ++i) {
    out.counts[i] -= before.counts[i];
    if (out.counts[i] < 0) return std::nullopt;
  }
  return out;
}

std::optional<double> quantile(const Durations &durations, double share) {
  const double all = total(durations), wanted = all * share;
  if (all <= 0 || durations.bounds.empty()) return std::nullopt;
  double below = 0;
  for (std::size_t i = 0; i < durations.bounds.size(); ++i) {
    const double here = durations.counts[i];
    if (here > 0 && below + here >= wanted) {
      const double from = i == 0 ? 0 : durations.bounds[i - 1];
      return from + (durations.bounds[i] - from) * (wanted - below) / here;
    }
    below += here;
  }
  return durations.bounds.back();
}

std::string quantile_text(const Durations &durations, double share) {
  const auto value = quantile(durations, share);
  if (!value) return "";
  const double beyond = durations.counts.back();
  const bool is_beyond = total(durations) - beyond < total(durations) * share;
  return (is_beyond ? "> " : "") + seconds_text(*value);
}

} // namespace trellis::cli
