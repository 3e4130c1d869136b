#include "runtime/state_lock.h"

#include "support/temp_dir.h"
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <unistd.h>

using namespace trellis::host;
using trellis::test::read_file;
using trellis::test::TempDir;
using trellis::test::write_file;

TEST_CASE("A state folder has one host at a time, and the second is told where and who the first is") {
  const TempDir folder;
  std::optional<StateLock> first;
  {
    auto taken = StateLock::take(folder.path());
    REQUIRE(taken);
    first.emplace(std::move(*taken));
  }
  const auto second = StateLock::take(folder.path());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == "state_dir_in_use");
  CHECK(second.error().where == (folder / kStateLockName).string());
  CHECK(second.error().message.ends_with("pid " + std::to_string(::getpid())));
  first.reset();
  CHECK(StateLock::take(folder.path()));
}

TEST_CASE("What a dead host left in the lock file bothers nobody") {
  const TempDir folder;
  write_file(folder / kStateLockName, "4194304999");
  const auto taken = StateLock::take(folder.path());
  REQUIRE(taken);
  CHECK(read_file(folder / kStateLockName) == std::to_string(::getpid()));
}

TEST_CASE("A lock file that is a link is refused, and what it points to stays as it is") {
  const TempDir folder;
  write_file(folder / "precious", "content");
  std::filesystem::create_symlink(folder / "precious", folder / kStateLockName);
  const auto taken = StateLock::take(folder.path());
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == "state_dir_unusable");
  CHECK(read_file(folder / "precious") == "content");
}
