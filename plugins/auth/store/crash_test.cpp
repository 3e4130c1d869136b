// Ended at every durable write: a database is always as after some prefix of its changes, and what was acknowledged is
// in it.
//
// The test program runs itself as the child that crashes (test "crash child", hidden).
#include "store/accounts.h"
#include "store/schema.h"
#include "store/sessions.h"
#include "store/store_test.h"
#include "support/process.h"
#include "support/wait_until.h"
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>

using namespace trellis;
using namespace trellis::auth;

namespace {

constexpr int kChanges = 6;

Result<void> add_pair(Writer &db, int number) {
  for (const char *half : {"a", "b"}) {
    User user;
    user.user_id = "usr_" + std::to_string(number) + half;
    put_user(db, user);
  }
  return {};
}

// Opens the database and stores pairs, `count` or without end; each is acknowledged by a byte in the file `acks`.
void store_pairs(const std::filesystem::path &folder, int count) {
  auto db = Database::open(folder / "trellis.db");
  REQUIRE(db);
  std::ofstream acks(folder / "acks", std::ios::app);
  const int first = static_cast<int>((*db)->read(list_users)->size() / 2);
  for (int number = first; count == 0 || number < first + count; ++number) {
    REQUIRE((*db)->write([&](Writer &writer) { return add_pair(writer, number); }));
    acks << '+' << std::flush;
  }
}

std::vector<std::string> child(const std::filesystem::path &folder, int count, int crash_at) {
  return {"/usr/bin/env",
          "TRELLIS_CRASH_AT=" + std::to_string(crash_at),
          "STORE_TEST_FOLDER=" + folder.string(),
          "STORE_TEST_COUNT=" + std::to_string(count),
          std::filesystem::read_symlink("/proc/self/exe").string(),
          "crash child"};
}

// Opens what a crash left; the number of whole pairs in it.
int check_left(const std::filesystem::path &folder) {
  auto db = Database::open(folder / "trellis.db");
  INFO((db ? "" : db.error().text()));
  REQUIRE(db);
  const auto users = (*db)->read(list_users);
  REQUIRE(users);
  REQUIRE(users->size() % 2 == 0);
  const auto acknowledged = test::read_file(folder / "acks").size();
  REQUIRE(users->size() / 2 >= acknowledged);
  REQUIRE(users->size() / 2 <= acknowledged + 1); // committed, and ended before it was said
  const auto sound = (*db)->read([](Reader &reader) {
    Row row = reader.query("PRAGMA integrity_check");
    row.next();
    return row.text(0);
  });
  REQUIRE(sound == "ok");
  return static_cast<int>(users->size() / 2);
}

} // namespace

TEST_CASE("crash child", "[.]") {
  const char *folder = std::getenv("STORE_TEST_FOLDER"), *count = std::getenv("STORE_TEST_COUNT");
  REQUIRE(folder);
  REQUIRE(count);
  store_pairs(folder, std::atoi(count));
}

TEST_CASE("Ended at any durable write, the database holds what was acknowledged and no half of a change") {
  int crashes = 0;
  for (int at = 1;; ++at) {
    REQUIRE(at < 100);
    const test::TempDir dir;
    const auto outcome = test::run_program(child(dir.path(), kChanges, at));
    if (outcome.status == 0) break; // passed fewer points
    INFO(outcome.out << outcome.err);
    REQUIRE(outcome.status == 137);
    ++crashes;
    check_left(dir.path());
    // And it goes on from there.
    REQUIRE(test::run_program(child(dir.path(), 1, 0)).status == 0);
  }
  const int migrations = static_cast<int>(trellis::auth::migrations().size());
  CHECK(crashes == 2 * migrations + 2 * kChanges); // every migration's commit and every change's, each before and after
}

TEST_CASE("Killed again and again while it writes, the database only grows") {
  const test::TempDir dir;
  std::mt19937 random(7);
  int before = 0;
  for (int round = 0; round < 8; ++round) {
    const auto acks = [&] { return test::read_file(dir / "acks").size(); };
    const std::size_t goal = acks() + 1 + random() % 20;
    test::Process writer(child(dir.path(), 0, 0), dir / "output");
    REQUIRE(test::wait_until([&] { return acks() >= goal; }));
    writer.signal(SIGKILL);
    REQUIRE(writer.wait() == 137);
    const int now = check_left(dir.path());
    CHECK(now > before);
    before = now;
    test::write_file(dir / "acks", std::string(static_cast<std::size_t>(now), '+')); // one may have lost its word
  }
}
