#include "trend.h"

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <random>
#include <stdexcept>

using namespace trellis::test;
using Catch::Approx;

namespace {

// One sample a second for 15 minutes.
std::vector<Sample> series(const std::function<double(double)> &value) {
  std::vector<Sample> out;
  for (int second = 0; second < 900; ++second)
    out.push_back({static_cast<double>(second), value(second)});
  return out;
}

// Noise in which each value keeps most of the one before, as the memory of a process does.
class Wobble {
public:
  explicit Wobble(unsigned seed) : random_(seed) {}
  double next() { return last_ = 0.98 * last_ + noise_(random_); }

private:
  std::mt19937 random_;
  std::normal_distribution<double> noise_{0, 1};
  double last_ = 0;
};

} // namespace

TEST_CASE("a constant series has the slope zero and no doubt about it") {
  const auto trend = trend_of(series([](double) { return 40.0; }));
  CHECK(trend.slope == 0);
  CHECK(trend.lower == 0);
  CHECK(trend.upper == 0);
  CHECK(trend.mean == Approx(40));
  CHECK_FALSE(trend.grows());
}

TEST_CASE("a straight rise is found exactly") {
  const auto trend = trend_of(series([](double second) { return 10 + second / 3600; }));
  CHECK(trend.slope == Approx(1));
  CHECK(trend.grows());
}

TEST_CASE("a small rise under noise is found, and lies in the interval") {
  std::mt19937 random(7);
  std::normal_distribution<double> noise(0, 1);
  const auto trend = trend_of(series([&](double second) { return 100 + 4 * second / 3600 + noise(random); }));
  CHECK(trend.grows());
  CHECK(trend.lower < 4);
  CHECK(trend.upper > 4);
}

TEST_CASE("noise around a level is no growth") {
  std::mt19937 random(11);
  std::normal_distribution<double> noise(0, 1);
  CHECK_FALSE(trend_of(series([&](double) { return 100 + noise(random); })).grows());
}

TEST_CASE("a wobbling level is taken for growth about as seldom as the interval promises") {
  int alarms = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    Wobble wobble(seed);
    if (trend_of(series([&](double) { return wobble.next(); })).grows()) ++alarms;
  }
  CHECK(alarms <= 12); // 0.5 % of 400 is 2; the estimate of the correlation has noise too
}

TEST_CASE("a rise under a wobble is found all the same") {
  Wobble wobble(3);
  CHECK(trend_of(series([&](double second) { return 60 * second / 3600 + wobble.next() / 10; })).grows());
}

TEST_CASE("a falling series doesn't grow") {
  const auto trend = trend_of(series([](double second) { return -second; }));
  CHECK(trend.upper < 0);
  CHECK_FALSE(trend.grows());
}

TEST_CASE("too few samples, and samples of one moment, are no series") {
  CHECK_THROWS_AS(trend_of({{0, 1}, {1, 2}}), std::invalid_argument);
  CHECK_THROWS_AS(trend_of(std::vector<Sample>(100, Sample{5, 1})), std::invalid_argument);
}
