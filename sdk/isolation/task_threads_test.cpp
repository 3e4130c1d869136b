#include "isolation/task_threads.h"

#include <catch2/catch_test_macros.hpp>
#include <future>
#include <pthread.h>

using namespace trellis::isolation;
using namespace std::chrono_literals;

TEST_CASE("a task that ends its thread costs that thread alone, and what waits for it runs on another") {
  TaskThreads threads(1);
  REQUIRE(threads.begin());
  for (int i = 0; i < 3; ++i) {
    std::promise<void> go, ran;
    threads.post([&] {
      go.get_future().wait();
      ::pthread_exit(nullptr);
    });
    threads.post([&] { ran.set_value(); }); // behind it, and nothing comes after that
    go.set_value();
    REQUIRE(ran.get_future().wait_for(20s) == std::future_status::ready);
  }
}

TEST_CASE("threads are all busy when none is idle and tasks wait") {
  TaskThreads threads(2);
  CHECK(threads.counts().waiting == 0);
  std::promise<void> go;
  const auto gate = go.get_future().share();
  std::promise<void> one, other;
  threads.post([&, gate] {
    one.set_value();
    gate.wait();
  });
  threads.post([&, gate] {
    other.set_value();
    gate.wait();
  });
  one.get_future().wait();
  other.get_future().wait();
  threads.post([] {});
  const auto counts = threads.counts();
  CHECK(counts.idle == 0);
  CHECK(counts.waiting == 1);
  go.set_value();
}
