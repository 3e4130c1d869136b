#include "replay/replay_cache.h"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <string>

using namespace trellis;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kNow = 1767225600;

// A folder of its own that goes away with the test.
struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "trellis-replay-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
};

} // namespace

TEST_CASE("a request id is new once for each session key") {
  const auto cache = ReplayCache::in_memory();
  REQUIRE(cache);
  CHECK((*cache)->insert("alice", "r1", kNow, kNow).value());
  CHECK_FALSE((*cache)->insert("alice", "r1", kNow, kNow).value());
  CHECK((*cache)->insert("bob", "r1", kNow, kNow).value());
  CHECK((*cache)->insert("alice", "r2", kNow, kNow).value());
}

TEST_CASE("a recorded request stays recorded for every second in which it could still be fresh") {
  for (std::int64_t start = kNow; start < kNow + 130; ++start)
    for (const std::int64_t skew : {-30, 0, 30}) {
      const auto cache = ReplayCache::in_memory();
      const std::int64_t iat = start + skew;
      REQUIRE((*cache)->insert("alice", "r", start, iat).value());
      for (std::int64_t now = start; now <= iat + 30; ++now) {
        INFO("recorded at " << start << " with iat " << iat << ", again at " << now);
        REQUIRE_FALSE((*cache)->insert("alice", "r", now, iat).value());
      }
    }
}

TEST_CASE("old windows are forgotten, so the file doesn't grow with time") {
  Folder folder;
  const auto file = folder.path / "replay.cache";
  const auto cache = ReplayCache::open(file);
  REQUIRE(cache);
  const auto size = fs::file_size(file);
  for (std::int64_t minute = 0; minute < 50; ++minute)
    for (int i = 0; i < 5000; ++i)
      REQUIRE((*cache)->insert("alice", std::to_string(i), kNow + minute * 64, kNow + minute * 64).value());
  CHECK(fs::file_size(file) == size);
}

TEST_CASE("the cache grows without forgetting") {
  Folder folder;
  const auto cache = ReplayCache::open(folder.path / "replay.cache");
  REQUIRE(cache);
  for (int i = 0; i < 50000; ++i)
    REQUIRE((*cache)->insert("alice", std::to_string(i), kNow, kNow).value());
  for (int i = 0; i < 50000; ++i)
    REQUIRE_FALSE((*cache)->insert("alice", std::to_string(i), kNow, kNow).value());
}

TEST_CASE("a cache that is opened again knows what it knew") {
  Folder folder;
  const auto file = folder.path / "replay.cache";
  {
    const auto cache = ReplayCache::open(file);
    REQUIRE((*cache)->insert("alice", "r1", kNow, kNow).value());
  }
  const auto again = ReplayCache::open(file);
  REQUIRE(again);
  CHECK_FALSE((*again)->insert("alice", "r1", kNow + 5, kNow).value());
}

TEST_CASE("a file that is no replay cache is refused by name and left as it was") {
  Folder folder;
  const auto file = folder.path / "replay.cache";
  std::ofstream(file) << "something else, much longer than a header would be, so that it looks like data";
  const auto cache = ReplayCache::open(file);
  REQUIRE_FALSE(cache);
  CHECK(cache.error().code == "replay_cache_unusable");
  CHECK(cache.error().where == file.string());
  CHECK(fs::file_size(file) == 78);
}
