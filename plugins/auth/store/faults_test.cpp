// Full disks and failing writes: nothing half-written, and work goes on once there is space.
#include "store/accounts.h"
#include "store/store_test.h"
#include <csignal>
#include <sys/mount.h>
#include <sys/resource.h>
#include <thread>

using namespace trellis;
using namespace trellis::auth;

namespace {

// A pair that a change stores together: readers must never see one without the other.
Result<void> add_pair(Writer &db, int number, std::size_t bytes) {
  for (const char *half : {"a", "b"}) {
    User user;
    user.user_id = "usr_" + std::to_string(number) + half;
    user.name = std::string(bytes, 'x');
    put_user(db, user);
  }
  return {};
}

// Pairs until one fails; the number of those stored. Every failure must be a storage error.
int fill(Database &db, std::size_t bytes) {
  for (int number = 0; number < 10'000; ++number) {
    const auto done = db.write([&](Writer &writer) { return add_pair(writer, number, bytes); });
    if (done) continue;
    CHECK(done.error().code == "storage");
    return number;
  }
  FAIL("nothing ever failed");
  return 0;
}

std::size_t users_in(Database &db) {
  const auto users = db.read(list_users);
  INFO((users ? "" : users.error().text()));
  REQUIRE(users);
  return users->size();
}

bool is_sound(Database &db) {
  const auto answer = db.read([](Reader &reader) {
    Row row = reader.query("PRAGMA integrity_check");
    row.next();
    return row.text(0);
  });
  return answer && *answer == "ok";
}

// A file system of one megabyte; only root may mount one.
class SmallDisk {
public:
  explicit SmallDisk(const std::filesystem::path &at) : at_(at) {
    std::filesystem::create_directories(at_);
    mounted_ = ::mount("none", at_.c_str(), "tmpfs", 0, "size=1m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk &) = delete;
  SmallDisk &operator=(const SmallDisk &) = delete;
  bool mounted() const { return mounted_; }
  void grow() { ::mount("none", at_.c_str(), "tmpfs", MS_REMOUNT, "size=64m"); }

private:
  std::filesystem::path at_;
  bool mounted_ = false;
};

// Writes beyond this offset of any file fail for this process while the object lives.
class FileSizeLimit {
public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit &) = delete;
  FileSizeLimit &operator=(const FileSizeLimit &) = delete;

private:
  rlimit before_{};
  void (*handler_)(int);
};

} // namespace

TEST_CASE("A database that may not grow refuses changes whole, and takes them once it may") {
  TestStore store;
  const auto limit_pages = [&](int pages) { // SQLite's own kind of full disk: works without being root
    store.write([&](Writer &db) { db.query("PRAGMA max_page_count = " + std::to_string(pages)).next(); });
  };
  limit_pages(200);
  const auto stored = static_cast<std::size_t>(fill(*store, 3'000));
  CHECK(stored > 0);
  CHECK(users_in(*store) == 2 * stored);
  limit_pages(100'000);
  CHECK(store->write([](Writer &db) { return add_pair(db, 20'000, 3'000); }));
  CHECK(users_in(*store) == 2 * stored + 2);
  CHECK(is_sound(*store));
}

TEST_CASE("A full disk refuses changes whole, and they are taken once there is space") {
  const test::TempDir dir;
  SmallDisk disk(dir / "disk");
  if (!disk.mounted()) SKIP("only root can mount a small file system; the page limit's test covers the same path");
  {
    auto db = Database::open(dir / "disk" / "trellis.db");
    INFO((db ? "" : db.error().text()));
    REQUIRE(db);
    const auto stored = static_cast<std::size_t>(fill(**db, 3'000));
    CHECK(stored > 0);
    CHECK(users_in(**db) == 2 * stored);
    CHECK_FALSE((*db)->write([](Writer &writer) { return add_pair(writer, 20'000, 100'000); }));
    disk.grow();
    CHECK((*db)->write([](Writer &writer) { return add_pair(writer, 20'000, 100'000); }));
    CHECK(users_in(**db) == 2 * stored + 2);
  }
  auto again = Database::open(dir / "disk" / "trellis.db");
  REQUIRE(again);
  CHECK(is_sound(**again));
}

TEST_CASE("A database can't be made on a full disk, and the next try works") {
  const test::TempDir dir;
  {
    const FileSizeLimit limit(20'000);
    const auto refused = Database::open(dir / "trellis.db");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == "database_unreadable");
    CHECK(refused.error().where == (dir / "trellis.db").string());
  }
  CHECK(Database::open(dir / "trellis.db"));
}

TEST_CASE("Failing writes of the log refuse changes whole, and they are taken afterwards") {
  TestStore store;
  std::size_t stored = 0;
  {
    const FileSizeLimit limit(1'000'000);
    stored = static_cast<std::size_t>(fill(*store, 300'000));
    CHECK(users_in(*store) == 2 * stored);
  }
  CHECK(store->write([](Writer &db) { return add_pair(db, 20'000, 300'000); }));
  CHECK(users_in(*store) == 2 * stored + 2);
  CHECK(is_sound(*store));
  store.reopen();
  CHECK(users_in(*store) == 2 * stored + 2);
}

TEST_CASE("Everyone whose change was in a lost transaction hears of it") {
  TestStore store;
  std::atomic<int> failed{0}, done{0};
  {
    const FileSizeLimit limit(2'000'000);
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; ++i)
      threads.emplace_back([&, i] {
        const auto result = store->write([&](Writer &db) { return add_pair(db, i, 200'000); });
        ++(result ? done : failed);
      });
    for (auto &thread : threads)
      thread.join();
  }
  CHECK(failed > 0);
  CHECK(users_in(*store) == 2 * static_cast<std::size_t>(done));
  CHECK(is_sound(*store));
}

TEST_CASE("A change behind that the disk refuses is reported") {
  TestStore store;
  std::string reported; // the queue's thread ends before it is read
  store->on_background_error([&](const Error &error) { reported = error.code; });
  {
    const FileSizeLimit limit(100'000);
    store->write_behind([](Writer &db) { return add_pair(db, 1, 300'000); });
    store.close();
  }
  CHECK(reported == "storage");
  store.reopen();
  CHECK(users_in(*store) == 0);
}
