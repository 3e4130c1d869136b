#include "nats/backoff.h"
#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using namespace std::chrono_literals;

TEST_CASE("backoff doubles up to its maximum") {
  CHECK(backoff_delay(1, 100ms, 5000ms, 1.0) == 100ms);
  CHECK(backoff_delay(2, 100ms, 5000ms, 1.0) == 200ms);
  CHECK(backoff_delay(6, 100ms, 5000ms, 1.0) == 3200ms);
  CHECK(backoff_delay(7, 100ms, 5000ms, 1.0) == 5000ms);
  CHECK(backoff_delay(1'000'000, 100ms, 5000ms, 1.0) == 5000ms);
}

TEST_CASE("jitter takes away up to half of the delay") {
  CHECK(backoff_delay(1, 100ms, 5000ms, 0.0) == 50ms);
  CHECK(backoff_delay(9, 100ms, 5000ms, 0.0) == 2500ms);
}
