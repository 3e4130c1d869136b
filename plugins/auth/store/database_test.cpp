#include "store/accounts.h"
#include "store/schema.h"
#include "store/store_test.h"
#include "support/wait_until.h"
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <sqlite3.h>
#include <sys/stat.h>
#include <thread>

using namespace trellis;
using namespace trellis::auth;
using trellis::test::TempDir;
using trellis::test::wait_until;

namespace {

// Another program that uses the file.
class Outsider {
public:
  explicit Outsider(const std::filesystem::path &file) { sqlite3_open(file.c_str(), &handle_); }
  ~Outsider() { sqlite3_close(handle_); }
  Outsider(const Outsider &) = delete;
  Outsider &operator=(const Outsider &) = delete;
  int run(const std::string &sql) { return sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr); }

private:
  sqlite3 *handle_ = nullptr;
};

User user_named(const std::string &user_id) {
  User user;
  user.user_id = user_id;
  return user;
}

Result<void> add_user(Writer &db, const std::string &user_id) {
  put_user(db, user_named(user_id));
  return {};
}

std::size_t count_users(TestStore &store) {
  return store.read(list_users).size();
}

Error open_error(const std::filesystem::path &file) {
  const auto opened = Database::open(file);
  REQUIRE_FALSE(opened);
  return opened.error();
}

} // namespace

TEST_CASE("A new database is for its owner only, and so are its journals") {
  TestStore store;
  store.write([](Writer &db) { put_user(db, user_named("usr_1")); });
  for (const auto &entry : std::filesystem::directory_iterator(store.folder())) {
    INFO(entry.path());
    struct stat status {};
    REQUIRE(::stat(entry.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
  }
}

TEST_CASE("What was written is there after the database is opened again") {
  TestStore store;
  store.write([](Writer &db) { put_user(db, user_named("usr_1")); });
  store.reopen();
  CHECK(store.read([](Reader &db) { return find_user(db, "usr_1"); }) == user_named("usr_1"));
}

TEST_CASE("A folder that doesn't exist is named") {
  const TempDir dir;
  const Error error = open_error(dir / "none" / "trellis.db");
  CHECK(error.code == "database_unreadable");
  CHECK(error.where == (dir / "none").string());
}

TEST_CASE("A folder in the file's place is unreadable") {
  const TempDir dir;
  const Error error = open_error(dir.path());
  CHECK(error.code == "database_unreadable");
  CHECK(error.where == dir.path().string());
}

TEST_CASE("A folder in which nothing can be created is unreadable") {
  const Error error = open_error("/proc/self/trellis.db"); // root may write to every other folder
  CHECK(error.code == "database_unreadable");
  CHECK(error.where == "/proc/self/trellis.db");
}

TEST_CASE("A file of a newer version is refused and stays as it is, to the byte") {
  TestStore store;
  store.close();
  Outsider(store.file()).run("PRAGMA user_version = 1000");
  const std::string before = test::read_file(store.file());
  const Error error = open_error(store.file());
  CHECK(error.code == "database_newer");
  CHECK(error.where == store.file().string());
  CHECK(test::read_file(store.file()) == before);
}

TEST_CASE("A newer file whose last commits are in its log stays as it is") {
  TestStore store;
  store.close();
  Outsider other(store.file());
  other.run("PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 1000");
  const std::string before = test::read_file(store.file());
  CHECK(open_error(store.file()).code == "database_newer");
  CHECK(test::read_file(store.file()) == before);
}

TEST_CASE("A file that is no database is corrupt") {
  const TempDir dir;
  test::write_file(dir / "trellis.db", std::string(8192, 'x'));
  const Error error = open_error(dir / "trellis.db");
  CHECK(error.code == "database_corrupt");
  CHECK(error.where == (dir / "trellis.db").string());
  CHECK(test::read_file(dir / "trellis.db") == std::string(8192, 'x'));
}

TEST_CASE("A truncated database is corrupt") {
  TestStore store;
  store.close();
  std::filesystem::resize_file(store.file(), 8192);
  CHECK(open_error(store.file()).code == "database_corrupt");
}

TEST_CASE("A database of another program is corrupt, and not written to") {
  const TempDir dir;
  SECTION("without a version") {
    Outsider(dir / "trellis.db").run("CREATE TABLE other (x)");
  }
  SECTION("with a version like ours") {
    Outsider(dir / "trellis.db").run("CREATE TABLE other (x); PRAGMA user_version = 1");
  }
  const std::string before = test::read_file(dir / "trellis.db");
  CHECK(open_error(dir / "trellis.db").code == "database_corrupt");
  CHECK(test::read_file(dir / "trellis.db") == before);
}

TEST_CASE("A database that lost a table or an index is corrupt, and the message names it") {
  TestStore store;
  store.close();
  SECTION("table") {
    Outsider(store.file()).run("DROP TABLE offers");
    CHECK(open_error(store.file()).message.find("offers") != std::string::npos);
  }
  SECTION("index") {
    Outsider(store.file()).run("DROP INDEX sessions_by_user");
    CHECK(open_error(store.file()).message.find("sessions_by_user") != std::string::npos);
  }
  CHECK(open_error(store.file()).code == "database_corrupt");
}

TEST_CASE("An operator's own index does no harm") {
  TestStore store;
  store.close();
  Outsider(store.file()).run("CREATE INDEX mine ON users (email)");
  CHECK(Database::open(store.file()));
}

TEST_CASE("A change that returns an error is taken back alone") {
  TestStore store;
  const Result<void> failed = store->write([](Writer &db) -> Result<void> {
    put_user(db, user_named("usr_1"));
    return fail("refused", "usr_1", "no");
  });
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == "refused");
  CHECK(count_users(store) == 0);
  CHECK(store->write([](Writer &db) { return add_user(db, "usr_2"); }));
  CHECK(count_users(store) == 1);
}

TEST_CASE("A value comes back from a change") {
  TestStore store;
  const auto value = store->write<int>([](Writer &db) -> Result<int> {
    put_user(db, user_named("usr_1"));
    return 7;
  });
  REQUIRE(value);
  CHECK(*value == 7);
}

TEST_CASE("A change that throws gives an error, and the next one is carried out") {
  TestStore store;
  SECTION("an exception") {
    const auto failed = store->write([](Writer &) -> Result<void> { throw std::runtime_error("bug"); });
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == "storage");
    CHECK(failed.error().message.find("bug") != std::string::npos);
  }
  SECTION("no exception at all") {
    CHECK_FALSE(store->write([](Writer &) -> Result<void> { throw 7; }));
  }
  SECTION("wrong SQL") {
    const auto failed = store->write([](Writer &db) -> Result<void> {
      put_user(db, user_named("usr_1"));
      db.execute("INSERT INTO nothing VALUES (1)");
      return {};
    });
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == "storage");
  }
  CHECK(count_users(store) == 0);
  CHECK(store->write([](Writer &db) { return add_user(db, "usr_2"); }));
}

TEST_CASE("A change that ends the transaction itself stores nothing, and the next one is carried out") {
  TestStore store;
  CHECK_FALSE(store->write([](Writer &db) -> Result<void> {
    put_user(db, user_named("usr_1"));
    db.execute("ROLLBACK");
    return {};
  }));
  CHECK(count_users(store) == 0);
  CHECK(store->write([](Writer &db) { return add_user(db, "usr_2"); }));
}

TEST_CASE("A change that writes through the database that runs it is refused, not stuck") {
  TestStore store;
  const auto outer =
      store->write([&](Writer &) { return store->write([](Writer &db) { return add_user(db, "usr_1"); }); });
  REQUIRE_FALSE(outer);
  CHECK(outer.error().code == "storage");
}

TEST_CASE("A query inside its own loop is an error") {
  TestStore store;
  store.write([](Writer &db) { put_user(db, user_named("usr_1")); });
  const auto nested = store->read([](Reader &db) {
    Row outer = db.query("SELECT user_id FROM users");
    outer.next();
    Row inner = db.query("SELECT user_id FROM users");
    return inner.next();
  });
  REQUIRE_FALSE(nested);
  CHECK(nested.error().code == "storage");
}

TEST_CASE("A query with too few values is an error") {
  TestStore store;
  CHECK_FALSE(store->read([](Reader &db) { return db.query("SELECT ?1, ?2", {1}).next(); }));
}

TEST_CASE("Values come back as they were bound") {
  TestStore store;
  const std::string zero("a\0b", 3);
  const std::optional<std::string> absent;
  store.read([&](Reader &db) {
    Row row = db.query("SELECT ?1, ?2, ?3, ?4, ?5, ?6",
                       {zero, std::int64_t{1} << 62, true, nullptr, absent, std::string_view()});
    REQUIRE(row.next());
    CHECK(row.text(0) == zero);
    CHECK(row.integer(1) == std::int64_t{1} << 62);
    CHECK(row.flag(2));
    CHECK(row.is_null(3));
    CHECK_FALSE(row.optional_text(4));
    CHECK(row.optional_text(5) == "");
    CHECK_FALSE(row.next());
    return true;
  });
}

TEST_CASE("A reader sees one snapshot, however much is written meanwhile") {
  TestStore store;
  store.write([](Writer &db) { put_user(db, user_named("usr_1")); });
  store.read([&](Reader &db) {
    const auto before = list_users(db);
    store.write([](Writer &writer) { put_user(writer, user_named("usr_2")); });
    CHECK(list_users(db) == before);
    return true;
  });
  CHECK(count_users(store) == 2);
}

TEST_CASE("Readers can't write") {
  TestStore store;
  const auto seen = store->read([](Reader &db) { return db.query("DELETE FROM users").next(); });
  REQUIRE_FALSE(seen);
  CHECK(seen.error().code == "storage");
}

TEST_CASE("More readers at once than connections are kept all get an answer") {
  TestStore store;
  store.write([](Writer &db) { put_user(db, user_named("usr_1")); });
  std::mutex mutex;
  std::condition_variable all_in;
  int inside = 0;
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 20; ++i)
    threads.emplace_back([&] {
      const auto seen = store->read([&](Reader &db) {
        std::unique_lock lock(mutex);
        if (++inside == 20) all_in.notify_all();
        all_in.wait(lock, [&] { return inside == 20; });
        return list_users(db).size();
      });
      if (seen && *seen == 1) ++answered;
    });
  for (auto &thread : threads)
    thread.join();
  CHECK(answered == 20);
}

TEST_CASE("Changes of many threads share commits, and one that fails takes back itself only") {
  TestStore store;
  const std::uint64_t before = store->commits();
  std::mutex mutex;
  std::condition_variable release;
  bool released = false;
  std::atomic<int> entered{0}, stored{0}, refused{0};
  std::thread first([&] { // holds the writer until all others have queued
    (void)store->write([&](Writer &db) -> Result<void> {
      std::unique_lock lock(mutex);
      ++entered;
      release.wait(lock, [&] { return released; });
      put_user(db, user_named("usr_first"));
      return {};
    });
  });
  REQUIRE(wait_until([&] { return entered == 1; }));
  std::atomic<int> calling{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 40; ++i)
    threads.emplace_back([&, i] {
      ++calling;
      const auto done = store->write([&](Writer &db) -> Result<void> {
        put_user(db, user_named("usr_" + std::to_string(i)));
        if (i % 4 == 0) return fail("refused", "", "every fourth");
        return {};
      });
      ++(done ? stored : refused);
    });
  REQUIRE(wait_until([&] { return calling == 40; }));
  {
    const std::lock_guard lock(mutex);
    released = true;
  }
  release.notify_one();
  first.join();
  for (auto &thread : threads)
    thread.join();
  CHECK(stored == 30);
  CHECK(refused == 10);
  CHECK(count_users(store) == 31);
  CHECK(store->commits() - before < 20); // 41 changes; usually 2
  CHECK_FALSE(store.read([](Reader &db) { return find_user(db, "usr_4"); }));
}

TEST_CASE("The version grows with decisions only") {
  TestStore store;
  const auto version = store->version();
  (void)store->write([](Writer &) -> Result<void> { return {}; });
  CHECK(store->version() == version);
  (void)store->write([](Writer &db) -> Result<void> {
    put_user(db, user_named("usr_1"));
    return fail("refused", "", "");
  });
  CHECK(store->version() == version);
  store->write_behind([](Writer &db) { return add_user(db, "usr_1"); });
  REQUIRE(wait_until([&] { return count_users(store) == 1; }));
  CHECK(store->version() == version);
  CHECK(store->write([](Writer &db) { return add_user(db, "usr_2"); }));
  CHECK(store->version() == version + 1);
}

TEST_CASE("What is written behind is stored within a second, without another write") {
  TestStore store;
  const auto start = std::chrono::steady_clock::now();
  store->write_behind([](Writer &db) { return add_user(db, "usr_1"); });
  REQUIRE(wait_until([&] { return count_users(store) == 1; }));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2)); // a busy machine's allowance
}

TEST_CASE("What is written behind goes with the next write, in the order of the calls") {
  TestStore store;
  store->write_behind([](Writer &db) { return add_user(db, "usr_1"); });
  store.write([](Writer &db) { CHECK(find_user(db, "usr_1")); });
}

TEST_CASE("What is written behind is stored when the database closes") {
  TestStore store;
  store->write_behind([](Writer &db) { return add_user(db, "usr_1"); });
  store.reopen();
  CHECK(count_users(store) == 1);
}

TEST_CASE("A long queue of changes that nobody waits for is stored without waiting for its time") {
  TestStore store;
  for (int i = 0; i < 10'000; ++i)
    store->write_behind([i](Writer &db) { return add_user(db, "usr_" + std::to_string(i)); });
  store.reopen();
  CHECK(count_users(store) == 10'000);
}

TEST_CASE("A failure behind is reported, and those beside it are stored") {
  TestStore store;
  std::mutex mutex;
  std::vector<std::string> reported;
  store->on_background_error([&](const Error &error) {
    const std::lock_guard lock(mutex);
    reported.push_back(error.code);
  });
  store->write_behind([](Writer &db) { return add_user(db, "usr_1"); });
  store->write_behind([](Writer &) -> Result<void> { return fail("refused", "", ""); });
  store->write_behind([](Writer &db) { return add_user(db, "usr_2"); });
  REQUIRE(wait_until([&] {
    const std::lock_guard lock(mutex);
    return !reported.empty();
  }));
  const std::lock_guard lock(mutex);
  CHECK(reported == std::vector<std::string>{"refused"});
  CHECK(count_users(store) == 2);
}
