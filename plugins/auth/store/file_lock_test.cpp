// One database, one control plane: who else opens it is refused, and told who has it.
//
// The test program runs itself as the other process (test "lock child", hidden).
#include "store/accounts.h"
#include "store/store_test.h"
#include "support/process.h"
#include "support/wait_until.h"
#include <csignal>
#include <cstdlib>
#include <unistd.h>

using namespace trellis;
using namespace trellis::auth;

namespace {

Error refusal(const std::filesystem::path &file) {
  const auto opened = Database::open(file);
  REQUIRE_FALSE(opened);
  return opened.error();
}

std::vector<std::string> child(const std::filesystem::path &folder) {
  return {"/usr/bin/env", "LOCK_TEST_FOLDER=" + folder.string(),
          std::filesystem::read_symlink("/proc/self/exe").string(), "lock child"};
}

} // namespace

TEST_CASE("lock child", "[.]") {
  const char *folder = std::getenv("LOCK_TEST_FOLDER");
  REQUIRE(folder);
  const auto db = Database::open(std::filesystem::path(folder) / "trellis.db");
  REQUIRE(db);
  test::write_file(std::filesystem::path(folder) / "ready", "");
  ::pause(); // until it is killed
}

TEST_CASE("A database that is open is refused to others, who hear which file and which process") {
  TestStore store;
  const Error error = refusal(store.file());
  CHECK(error.code == "database_in_use");
  CHECK(error.where == store.file().string());
  CHECK(error.message.find("process " + std::to_string(::getpid())) != std::string::npos);
  store.write([](Writer &db) { // and harms nobody
    User user;
    user.user_id = "usr_1";
    put_user(db, user);
  });
  store.reopen();
  CHECK(store.read(list_users).size() == 1);
}

TEST_CASE("A database that is open is refused under another name, too") {
  TestStore store;
  SECTION("a link to the file") {
    std::filesystem::create_symlink(store.file(), store.folder() / "link.db");
    CHECK(refusal(store.folder() / "link.db").code == "database_in_use");
  }
  SECTION("a link to the folder") {
    const test::TempDir elsewhere;
    std::filesystem::create_symlink(store.folder(), elsewhere / "link");
    CHECK(refusal(elsewhere / "link" / "trellis.db").code == "database_in_use");
  }
}

TEST_CASE("A process that is killed leaves the database free") {
  const test::TempDir dir;
  test::Process holder(child(dir.path()), dir / "output");
  REQUIRE(test::wait_until([&] { return std::filesystem::exists(dir / "ready"); }));
  const Error error = refusal(dir / "trellis.db");
  CHECK(error.code == "database_in_use");
  CHECK(error.message.find("process " + std::to_string(holder.pid())) != std::string::npos);
  holder.signal(SIGKILL);
  REQUIRE(holder.wait() == 137);
  CHECK(Database::open(dir / "trellis.db"));
}

TEST_CASE("A lock that can't be made is named, and nothing else is") {
  const test::TempDir dir;
  std::filesystem::create_directory(dir / "trellis.db.lock");
  const Error error = refusal(dir / "trellis.db");
  CHECK(error.code == "database_unreadable");
  CHECK(error.message.find("trellis.db.lock") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(dir / "trellis.db"));
}
