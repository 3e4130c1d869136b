// A fresh database for one test, and short forms of writing and reading that fail the test when they fail.
#pragma once

#include "store/database.h"
#include "support/assertion_thread.h"
#include "support/temp_dir.h"
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <memory>
#include <utility>

namespace trellis::auth {

class TestStore {
public:
  TestStore() { reopen(); }
  void close() { db_.reset(); }
  void reopen() {
    close();
    auto opened = Database::open(file());
    INFO((opened ? "" : opened.error().text()));
    REQUIRE(opened);
    db_ = std::move(*opened);
  }

  std::filesystem::path file() const { return dir_ / "trellis.db"; }
  const std::filesystem::path &folder() const { return dir_.path(); }
  Database &operator*() { return *db_; }
  Database *operator->() { return db_.get(); }

  // `change` and `look` need no Result.
  template <class Fn>
  void write(Fn change) {
    const Result<void> done = db_->write([&](Writer &db) -> Result<void> {
      const test::AssertionsHere here; // the store's writer, while the test waits
      change(db);
      return {};
    });
    INFO((done ? "" : done.error().text()));
    REQUIRE(done);
  }
  template <class Fn>
  auto read(Fn look) {
    auto seen = db_->read(look);
    INFO((seen ? "" : seen.error().text()));
    REQUIRE(seen);
    return std::move(*seen);
  }

private:
  test::TempDir dir_;
  std::unique_ptr<Database> db_;
};

} // namespace trellis::auth
