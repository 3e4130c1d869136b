#include "nats/gate.h"
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <thread>

using namespace trellis;

TEST_CASE("a closed gate lets nobody in") {
  Gate gate;
  int calls = 0;
  CHECK(gate.pass([&] { ++calls; }));
  gate.close();
  gate.close();
  CHECK_FALSE(gate.pass([&] { ++calls; }));
  CHECK(calls == 1);
}

TEST_CASE("closing waits for the call that is inside") {
  Gate gate;
  std::promise<void> inside, go_on;
  bool finished = false, waited = false;
  std::thread caller([&] {
    gate.pass([&] {
      inside.set_value();
      go_on.get_future().wait();
      finished = true;
    });
  });
  inside.get_future().wait();
  std::thread closer([&] {
    gate.close();
    waited = finished;
  });
  go_on.set_value();
  closer.join();
  caller.join();
  CHECK(waited);
}
