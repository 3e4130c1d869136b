#include "store/database.h"

#include "store/connection.h"
#include "store/file_lock.h"
#include "store/migration.h"
#include "store/reader_pool.h"
#include "store/schema.h"
#include "store/write_queue.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

namespace trellis::auth {
namespace {

tl::unexpected<Error> unreadable(const std::filesystem::path &path, const std::string &why,
                                 const std::string &expected) {
  return fail("database_unreadable", path.string(), why, expected);
}

// The new name must survive a power cut as well as the rows do.
Result<void> sync_folder(const std::filesystem::path &folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const int why = errno;
  if (fd >= 0) ::close(fd);
  if (!synced) return unreadable(folder, std::strerror(why), "a folder that can be read");
  return {};
}

// SQLite would create the file with the umask's rights; its journals take over those of the file. An existing file is
// never opened here: closing it would drop the locks that this process holds on it.
Result<void> create_file(const std::filesystem::path &file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) return {};
  if (fd < 0) return unreadable(file, std::strerror(errno), "a folder that this program may write to");
  ::close(fd);
  return sync_folder(file.parent_path());
}

Result<void> check_place(const std::filesystem::path &file) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(file.parent_path(), ignored))
    return unreadable(file.parent_path(), "is no folder", "an existing folder for " + file.filename().string());
  if (std::filesystem::is_directory(file, ignored)) return unreadable(file, "is a folder", "a file");
  return {};
}

// A file that has several names (links) has one lock.
Result<FileLock> lock_for(const std::filesystem::path &file) {
  std::error_code problem;
  const auto real = std::filesystem::weakly_canonical(file, problem);
  if (problem) return unreadable(file, problem.message(), "a path to a file");
  auto lock = FileLock::take(real.string() + ".lock");
  if (!lock) lock.error().where = file.string();
  return lock;
}

Result<void> use_wal(Connection &connection, const std::filesystem::path &file) {
  std::string mode;
  {
    Row row(connection.handle(), connection.statement("PRAGMA journal_mode = WAL"), {});
    if (row.next()) mode = row.text(0);
  }
  if (mode != "wal") return unreadable(file, "has no write-ahead log (" + mode + ")", "a local file system");
  // A commit is on disk when it returns; the log's file is cut to 64 MiB after a burst; what replaced hashes and ended
  // sessions leave in free pages is overwritten.
  connection.execute("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864; PRAGMA secure_delete = FAST;");
  return {};
}

// The file isn't touched before its version is known.
Result<std::unique_ptr<Connection>> open_writer(const std::filesystem::path &file) {
  auto connection = std::make_unique<Connection>(file);
  sqlite3_db_config(connection->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (sqlite3_db_readonly(connection->handle(), "main") == 1)
    return unreadable(file, "can only be read", "a file that this program may write to");
  if (auto known = check_version(*connection, migrations()); !known) return tl::make_unexpected(known.error());
  sqlite3_db_config(connection->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  if (auto wal = use_wal(*connection, file); !wal) return tl::make_unexpected(wal.error());
  if (auto migrated = migrate(*connection, migrations()); !migrated) return tl::make_unexpected(migrated.error());
  return connection;
}

// What a failure of SQLite while opening means for the operator.
Error opening_error(const SqlError &problem, const std::filesystem::path &file) {
  Error error = problem.error();
  const int status = std::atoi(std::string(error.detail("sqlite")).c_str()) & 0xff; // the primary code
  const bool corrupt = status == SQLITE_NOTADB || status == SQLITE_CORRUPT;
  error.code = corrupt ? "database_corrupt" : "database_unreadable";
  error.where = file.string();
  error.expected =
      corrupt ? "a database of this control plane; restore a backup" : "a file that can be read and written";
  return error;
}

} // namespace

// Members end in reverse order: the writer's connection is the last to close, so that the log is taken into the file,
// and then others may have it.
struct Database::State {
  State(const std::filesystem::path &file, FileLock held, std::unique_ptr<Connection> connection)
      : lock(std::move(held)), queue(std::move(connection)), readers(file) {}

  FileLock lock;
  WriteQueue queue;
  ReaderPool readers;
};

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path &name) {
  const std::filesystem::path file = std::filesystem::absolute(name); // readers are opened later, from wherever
  if (auto possible = check_place(file); !possible) return tl::make_unexpected(possible.error());
  auto lock = lock_for(file);
  if (!lock) return tl::make_unexpected(lock.error());
  if (auto created = create_file(file); !created) return tl::make_unexpected(created.error());
  try {
    auto connection = open_writer(file);
    if (!connection) return tl::make_unexpected(connection.error());
    return std::unique_ptr<Database>(
        new Database(std::make_unique<State>(file, std::move(*lock), std::move(*connection))));
  } catch (const SqlError &problem) {
    return tl::make_unexpected(opening_error(problem, file));
  }
}

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::~Database() = default;

Result<void> Database::run(std::function<Result<void>(Writer &)> change) {
  return state_->queue.run(std::move(change));
}
Result<void> Database::write_aside(std::function<Result<void>(Writer &)> change) {
  return state_->queue.run(std::move(change), false);
}
void Database::write_behind(std::function<Result<void>(Writer &)> change) {
  state_->queue.run_behind(std::move(change));
}
void Database::on_background_error(std::function<void(const Error &)> report) {
  state_->queue.on_background_error(std::move(report));
}
std::uint64_t Database::version() const {
  return state_->queue.version();
}
std::uint64_t Database::commits() const {
  return state_->queue.commits();
}

Database::ReaderLease Database::borrow() const {
  try {
    return ReaderLease(*this, state_->readers.borrow());
  } catch (const SqlError &problem) {
    return ReaderLease(*this, tl::make_unexpected(problem.error()));
  }
}

Database::ReaderLease::ReaderLease(const Database &owner, Result<std::unique_ptr<Reader>> reader)
    : owner_(owner), reader_(std::move(reader)) {}
Database::ReaderLease::~ReaderLease() {
  if (reader_) owner_.state_->readers.give_back(std::move(*reader_));
}

} // namespace trellis::auth
