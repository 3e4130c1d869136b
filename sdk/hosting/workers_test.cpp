#include "hosting/workers.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <pthread.h>

using namespace trellis::host;
using namespace std::chrono_literals;

namespace {

WorkerTask task_of(const std::function<void()> &work) {
  const auto run = [](void *owner, std::uint64_t) { (*static_cast<const std::function<void()> *>(owner))(); };
  return {run, const_cast<std::function<void()> *>(&work), 0, "work"};
}

// A thread that nobody has joined keeps its stack mapped.
std::ptrdiff_t mappings_of_process() {
  std::ifstream maps("/proc/self/maps");
  return std::count(std::istreambuf_iterator<char>(maps), {}, '\n');
}

} // namespace

TEST_CASE("a task that ends its thread costs that thread alone, and what waits behind it runs on another") {
  Workers workers(1, 10);
  for (int i = 0; i < 3; ++i) {
    std::promise<void> go, ran;
    const std::function<void()> ends = [&] {
      go.get_future().wait();
      ::pthread_exit(nullptr);
    };
    const std::function<void()> follows = [&] { ran.set_value(); };
    REQUIRE(workers.post(task_of(ends)));
    REQUIRE(workers.post(task_of(follows))); // and nothing comes after that
    go.set_value();
    REQUIRE(ran.get_future().wait_for(20s) == std::future_status::ready);
  }
  CHECK(workers.stop(std::chrono::steady_clock::now() + 20s).empty());
}

TEST_CASE("stacks of threads that tasks have ended are given back, not kept until the end") {
  Workers workers(2, 10);
  const auto before = mappings_of_process();
  for (int i = 0; i < 50; ++i) {
    std::promise<void> ran;
    const std::function<void()> ends = [&] {
      ran.set_value();
      ::pthread_exit(nullptr);
    };
    REQUIRE(workers.post(task_of(ends)));
    ran.get_future().wait();
  }
  CHECK(mappings_of_process() < before + 40);
}
