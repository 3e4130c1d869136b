#include "lane.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <latch>

using namespace trellis::auth;

TEST_CASE("a lane does what it accepted before it ends") {
  std::atomic<int> done = 0;
  {
    Lane lane(2, 100);
    for (int i = 0; i < 50; ++i)
      CHECK(lane.run([&done] { ++done; }));
  }
  CHECK(done == 50);
}

TEST_CASE("a full lane refuses more work at once") {
  std::latch entered(1), leave(1);
  std::atomic<int> done = 0;
  {
    Lane lane(1, 2);
    REQUIRE(lane.run([&] {
      entered.count_down();
      leave.wait();
    }));
    entered.wait(); // nothing waits now, one is done
    CHECK(lane.run([&done] { ++done; }));
    CHECK(lane.run([&done] { ++done; }));
    CHECK_FALSE(lane.run([&done] { ++done; }));
    leave.count_down();
  }
  CHECK(done == 2);
}

TEST_CASE("a lane with one thread keeps the order") {
  std::vector<int> order;
  {
    Lane lane(1, 100);
    for (int i = 0; i < 20; ++i)
      CHECK(lane.run([&order, i] { order.push_back(i); }));
  }
  for (int i = 0; i < 20; ++i)
    CHECK(order[static_cast<std::size_t>(i)] == i);
}
