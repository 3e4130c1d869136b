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
  CHECK(group->filename() == "plugin-echo-43");
  CHECK(read_file(*group / "cgroup.procs") == "43");
  CHECK(read_file(*group / "memory.oom.group") == "1"); // all of the plugin or nothing
  CHECK(read_file(*group / "memory.swap.max") == "0");
  write_file(*group / "memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 2\n");
  CHECK(times_out_of_memory(*group) == 2);
}

TEST_CASE("a limit that isn't wanted is none, and two processes of a plugin share none") {
  const Groups groups;
  const auto parent = groups.dir / "system/trellis";
  const auto old_group = enter_group(parent, "echo", 43, {.memory_mb = 100});
  const auto new_group = enter_group(parent, "echo", 44, {.memory_mb = 200});
  REQUIRE(old_group);
  REQUIRE(new_group);
  CHECK(read_file(*old_group / "memory.max") == std::to_string(100 << 20));
  CHECK(read_file(*new_group / "memory.max") == std::to_string(200 << 20));
  CHECK(read_file(*new_group / "cpu.max") == "max");
  CHECK(read_file(*new_group / "pids.max") == "max");
}

TEST_CASE("controllers are handed on only after the host has left the group, each by a write of its own") {
  // A file of a control group takes each write as a command, and this one shows the last.
  const Groups groups;
  write_file(groups.dir / "system/trellis/cgroup.type", "domain\n");
  write_file(groups.dir / "system/trellis/cgroup.procs", "42\n");
  const auto parent = divisible_group(groups.dir / "", "0::/system/trellis\n", 42);
  REQUIRE(parent);
  CHECK(read_file(*parent / "cgroup.subtree_control") == "+pids");
}

TEST_CASE("a group that holds other processes can't be divided, and --check knows before") {
  const Groups groups;
  write_file(groups.dir / "system/trellis/cgroup.type", "domain\n");
  write_file(groups.dir / "system/trellis/cgroup.procs", "41\n42\n");
  const auto refused = divisible_group(groups.dir / "", "0::/system/trellis\n", 42);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "cgroup");
  CHECK(refused.error().message == "other processes are in it, so it can't be divided");
  CHECK_FALSE(std::filesystem::exists(groups.dir / "system/trellis/host"));
  CHECK(why_not_divisible(groups.dir / "", "0::/system/trellis\n", 42).find("Delegate=yes") != std::string::npos);
  write_file(groups.dir / "system/trellis/cgroup.procs", "42\n");
  CHECK(why_not_divisible(groups.dir / "", "0::/system/trellis\n", 42).empty());
}

TEST_CASE("a group is gone after its process") {
  const TempDir dir;
  std::filesystem::create_directory(dir / "plugin-echo-43"); // the kernel's has no files that count
  remove_group(dir / "plugin-echo-43");
  CHECK_FALSE(std::filesystem::exists(dir / "plugin-echo-43"));
}

TEST_CASE("limits that can't be written are an error with the group's name") {
  const Groups groups;
  std::filesystem::create_directories(groups.dir / "system/trellis/plugin-echo-43/cpu.max"); // no file
  const auto refused = enter_group(groups.dir / "system/trellis", "echo", 43, {.cpu_percent = 50});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().where.ends_with("plugin-echo-43"));
  CHECK(refused.error().message == "its limits can't be set");
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
