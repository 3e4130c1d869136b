// On a folder that looks like control groups: what is written where. That the kernel then keeps the limits is its own
// affair, and needs a delegated group, which few test machines have.
#include "isolation/cgroup.h"

#include "tests/support/temp_dir.h"
#include <catch2/catch_test_macros.hpp>
#include <fstream>

using namespace trellis::isolation;
using namespace trellis::test;

namespace {

struct Groups {
  Groups() {
    std::filesystem::create_directories(dir / "system/trellis");
    for (const auto *folder : {"", "system/trellis"}) {
      write_file(dir / folder / "cgroup.controllers", "cpuset cpu io memory pids\n");
      write_file(dir / folder / "cgroup.subtree_control", "");
    }
  }
  TempDir dir;
};

} // namespace

TEST_CASE("a host that may divide its group moves into a child of it, and plugins get siblings with limits") {
  const Groups groups;
  const auto parent = divisible_group(groups.dir / "", "1:name=systemd:/x\n0::/system/trellis\n", 42);
  REQUIRE(parent);
  CHECK(*parent == groups.dir / "system/trellis");
  CHECK(read_file(*parent / "host/cgroup.procs") == "42");
  const auto group = enter_group(*parent, "echo", 43, {.memory_mb = 100, .cpu_percent = 50, .threads = 10});
  REQUIRE(group);
  CHECK(read_file(*group / "memory.max") == std::to_string(100 << 20));
  CHECK(read_file(*group / "cpu.max") == "50000 100000");
  CHECK(read_file(*group / "pids.max") == "10");
  CHECK(read_file(*group / "cgroup.procs") == "43");
  write_file(*group / "memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 2\n");
  CHECK(times_out_of_memory(*group) == 2);
}

TEST_CASE("a host that is in its child already divides the same group") {
  const Groups groups;
  std::filesystem::create_directories(groups.dir / "system/trellis/host");
  CHECK(divisible_group(groups.dir / "", "0::/system/trellis/host\n", 42).value() == groups.dir / "system/trellis");
}

TEST_CASE("without version 2, without a group or without a controller the reason is said") {
  const Groups groups;
  const TempDir empty;
  CHECK(divisible_group(empty / "", "0::/x\n", 1).error().message.find("version 2") != std::string::npos);
  CHECK(divisible_group(groups.dir / "", "3:memory:/x\n", 1).error().message.find("no control group") !=
        std::string::npos);
  write_file(groups.dir / "system/trellis/cgroup.controllers", "cpu pids\n");
  CHECK(divisible_group(groups.dir / "", "0::/system/trellis\n", 1).error().message == "has no controller memory");
}
