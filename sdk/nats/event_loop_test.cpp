#include "nats/event_loop.h"
#include "nats/strand.h"
#include "support/without_threads.h"
#include <catch2/catch_test_macros.hpp>
#include <future>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

TEST_CASE("work that the system has no thread for begins when it has one") {
  CHECK(outcome_without_threads([](const auto &no_threads, const auto &threads_again) {
          const auto loop = EventLoop::start();
          if (!loop) return 3;
          const auto strand = Strand::make(**loop);
          std::promise<void> first, second;
          no_threads();
          strand->post([&] { first.set_value(); });
          strand->post([&] { second.set_value(); });
          if (first.get_future().wait_for(0s) == std::future_status::ready) return 4; // there was a thread
          threads_again();
          return second.get_future().wait_for(10s) == std::future_status::ready ? 0 : 5;
        }) == 0);
}

TEST_CASE("a loop that the system has no thread for isn't made, and says so") {
  CHECK(outcome_without_threads([](const auto &no_threads, const auto &) {
          no_threads();
          const auto loop = EventLoop::start();
          if (loop) return 3;
          return loop.error().text().find("a thread") != std::string::npos ? 0 : 4;
        }) == 0);
}
