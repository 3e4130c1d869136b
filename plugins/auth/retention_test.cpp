// How long audit lines and reconciliation events are kept, over a real store.
#include "retention.h"

#include "callout_testing.h"
#include "store/authority.h"
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using namespace trellis::auth;
using auth::testing::Domain;

namespace {

constexpr UnixMs kDay = 86400000;

struct Setup {
  Domain domain;

  void add_audit(int lines, UnixMs days_ago) {
    domain.change([&](Writer &db) {
      for (int i = 0; i < lines; ++i)
        audit(db, domain.now - days_ago * kDay, "usr_1", "session.create", "key", "{}");
    });
  }
  void add_event(UnixMs days_ago) {
    const UnixMs at = domain.now - days_ago * kDay;
    domain.change([&](Writer &db) { put_reconciliation(db, {"shop", "01V", "succeeded", at, at, {}}, "{}"); });
  }
  std::int64_t count(const std::string &table) {
    return *domain.db->read([&](Reader &db) {
      Row row = db.query("SELECT count(*) FROM " + table);
      row.next();
      return row.integer(0);
    });
  }
  void forget() { forget_old_history(domain.core, {}); }
};

} // namespace

TEST_CASE("audit lines are kept for 400 days, and reconciliation events for 90") {
  Setup setup;
  for (const UnixMs days : {0, 399, 401})
    setup.add_audit(1, days);
  for (const UnixMs days : {0, 89, 91})
    setup.add_event(days);
  setup.forget();
  CHECK(setup.count("audit") == 2);
  CHECK(setup.count("reconciliation_events") == 2);
  CHECK(setup.domain.log_lines.empty());
}

TEST_CASE("more old lines than one change deletes go in one round") {
  Setup setup;
  setup.add_audit(3 * static_cast<int>(kForgetBatch) + 7, 401);
  setup.add_audit(5, 1);
  const auto commits = setup.domain.db->commits();
  setup.forget();
  CHECK(setup.count("audit") == 5);
  CHECK(setup.domain.db->commits() == commits + 4); // others' changes find their place in between
}

TEST_CASE("of more audit lines than may be kept, the newest stay whatever their age") {
  Setup setup;
  setup.domain.config.retention.audit_rows = 3;
  for (const UnixMs days : {5, 4, 3, 2, 1})
    setup.add_audit(1, days);
  setup.forget();
  CHECK(setup.count("audit") == 3);
  setup.forget();
  CHECK(setup.count("audit") == 3);
}

TEST_CASE("with 0 everything is kept for ever") {
  Setup setup;
  setup.domain.config.retention = {.audit_days = 0, .audit_rows = 0, .reconciliation_event_days = 0};
  setup.add_audit(10, 10000);
  setup.add_event(10000);
  setup.forget();
  CHECK(setup.count("audit") == 10);
  CHECK(setup.count("reconciliation_events") == 1);
}

TEST_CASE("forgetting leaves what was decided, and what is cached of it, as it is") {
  Setup setup;
  setup.add_audit(10, 401);
  const auto version = setup.domain.db->version();
  setup.forget();
  CHECK(setup.count("audit") == 0);
  CHECK(setup.domain.db->version() == version);
}

TEST_CASE("forgetting ends when the control plane does") {
  Setup setup;
  setup.add_audit(10, 401);
  std::stop_source stop;
  stop.request_stop();
  forget_old_history(setup.domain.core, stop.get_token());
  CHECK(setup.count("audit") == 10);
}

TEST_CASE("a database that can't be changed ends a round with a line in the log") {
  Setup setup;
  setup.add_audit(10, 401);
  setup.domain.change([](Writer &db) {
    db.execute("CREATE TRIGGER stays BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'no space'); END");
  });
  setup.forget();
  REQUIRE(setup.domain.log_lines.size() == 1);
  CHECK(setup.domain.log_lines.front().find("no space") != std::string::npos);
  CHECK(setup.count("audit") == 10);
}
