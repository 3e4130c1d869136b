#include "trend.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <stdexcept>

namespace trellis::test {
namespace {

constexpr double kTail = 0.005; // on each side
constexpr double kSecondsPerHour = 3600;

std::vector<Sample> block_means(const std::vector<Sample> &samples, std::size_t blocks) {
  std::vector<Sample> out(blocks);
  std::vector<double> counts(blocks, 0);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto block = i * blocks / samples.size();
    out[block].seconds += samples[i].seconds;
    out[block].value += samples[i].value;
    ++counts[block];
  }
  for (std::size_t block = 0; block < blocks; ++block) {
    out[block].seconds /= counts[block];
    out[block].value /= counts[block];
  }
  return out;
}

double mean_of(const std::vector<Sample> &points, double Sample::*member) {
  const auto add = [member](double sum, const Sample &point) { return sum + point.*member; };
  return std::accumulate(points.begin(), points.end(), 0.0, add) / static_cast<double>(points.size());
}

// How many times wider than for independent residuals: as if there were (1 - r) / (1 + r) times as many.
double widening(const std::vector<double> &residuals, double square_sum) {
  if (square_sum <= 0) return 1;
  double product_sum = 0;
  for (std::size_t i = 1; i < residuals.size(); ++i)
    product_sum += residuals[i - 1] * residuals[i];
  const double correlation = std::clamp(product_sum / square_sum, 0.0, 0.9);
  return std::sqrt((1 + correlation) / (1 - correlation));
}

} // namespace

Trend trend_of(const std::vector<Sample> &samples, std::size_t blocks) {
  if (blocks < 3 || samples.size() < 2 * blocks) throw std::invalid_argument("too few samples for a trend");
  const auto points = block_means(samples, blocks);
  const double mean_time = mean_of(points, &Sample::seconds), mean_value = mean_of(points, &Sample::value);
  double time_squares = 0, products = 0;
  for (const auto &point : points) {
    time_squares += (point.seconds - mean_time) * (point.seconds - mean_time);
    products += (point.seconds - mean_time) * (point.value - mean_value);
  }
  if (time_squares <= 0) throw std::invalid_argument("samples of one moment have no trend");
  const double slope = products / time_squares;

  std::vector<double> residuals;
  double residual_squares = 0;
  for (const auto &point : points) {
    residuals.push_back(point.value - mean_value - slope * (point.seconds - mean_time));
    residual_squares += residuals.back() * residuals.back();
  }
  const auto freedom = static_cast<double>(blocks - 2);
  const double error = std::sqrt(residual_squares / freedom / time_squares) * widening(residuals, residual_squares);
  const double reach = boost::math::quantile(boost::math::complement(boost::math::students_t(freedom), kTail)) * error;
  return {slope * kSecondsPerHour, (slope - reach) * kSecondsPerHour, (slope + reach) * kSecondsPerHour, mean_value};
}

std::string Trend::text(const std::string &unit) const {
  char line[160];
  std::snprintf(line, sizeof line, "mean %.2f %s, slope %+.3f %s/h (99 %%: %+.3f to %+.3f)", mean, unit.c_str(), slope,
                unit.c_str(), lower, upper);
  return line;
}

} // namespace trellis::test
