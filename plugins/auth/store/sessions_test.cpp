#include "store/sessions.h"
#include "store/store_test.h"
#include <algorithm>
#include <chrono>

using namespace trellis;
using namespace trellis::auth;

namespace {

UserSession full_user_session() {
  return {.user_id = "usr_1",
          .identity = {"idn_1", "github", "42"},
          .email = "ada@acme.test",
          .name = "Ada",
          .image = "https://acme.test/ada.png",
          .participant_kind = "app",
          .identity_grant_id = "grant_1",
          .contract_digest = "dig",
          .contract_id = "acme.console@v1",
          .contract_display_name = "Console",
          .contract_description = "A console",
          .app_origin = "https://acme.test",
          .approval_source = "stored_approval",
          .needs_json = R"({"contracts":[],"surfaces":[],"capabilities":[],"resources":[]})",
          .capabilities = {"a", "b\"c"},
          .publish_subjects = {"rpc.v1.X"},
          .subscribe_subjects = {"events.v1.>"}};
}

Session session_of(const std::string &key, decltype(Session::of) of, UnixMs last_auth = 2'000) {
  return {.session_key = key, .created_at = 1'000, .last_auth = last_auth, .of = std::move(of)};
}

Session user_session(const std::string &key, const std::string &user_id, UnixMs last_auth = 2'000) {
  UserSession user = full_user_session();
  user.user_id = user_id;
  return session_of(key, user, last_auth);
}

ServiceSession full_service_session() {
  return {.trellis_id = "tid",
          .email = "billing@trellis.internal",
          .name = "billing",
          .instance_id = "svc_1",
          .deployment_id = "billing",
          .contract_id = "acme.billing@v1",
          .contract_digest = "dig"};
}

Result<std::optional<Session>> find(TestStore &store, std::string_view key, UnixMs expired_before = 0) {
  return store.read([&](Reader &db) { return find_session(db, key, expired_before); });
}

Names keys_of(const std::vector<Session> &sessions) {
  Names out;
  for (const auto &session : sessions)
    out.push_back(session.session_key);
  return out;
}

// As it is found after it was stored beside another one, and the database was opened again.
std::optional<Session> stored_and_found(const Session &session) {
  TestStore store;
  store.write([&](Writer &db) {
    put_session(db, session);
    put_session(db, user_session("another", "usr_9", 7));
  });
  store.reopen();
  const auto found = find(store, session.session_key);
  REQUIRE(found);
  return *found;
}

} // namespace

TEST_CASE("A user's session comes back as it was stored") {
  UserSession user = full_user_session();
  SECTION("with everything") {}
  SECTION("with nothing optional") {
    user.image = user.identity_grant_id = user.app_origin = user.approval_source = user.needs_json = std::nullopt;
    user.capabilities.clear();
    user.publish_subjects.clear();
    user.subscribe_subjects.clear();
  }
  const Session session = session_of("key", user);
  CHECK(stored_and_found(session) == session);
}

TEST_CASE("A service's session comes back as it was stored") {
  ServiceSession service = full_service_session();
  SECTION("with everything") {}
  SECTION("with nothing optional") {
    service.contract_id = service.contract_digest = std::nullopt;
  }
  const Session session = session_of("key", service);
  CHECK(stored_and_found(session) == session);
}

TEST_CASE("A device's session comes back as it was stored") {
  DeviceSession device{.instance_id = "dev_1",
                       .deployment_id = "reader.default",
                       .contract_id = "acme.reader@v1",
                       .contract_digest = "dig",
                       .capabilities = {"a"},
                       .publish_subjects = {"p"},
                       .subscribe_subjects = {"s"},
                       .activated_at = 5,
                       .revoked_at = 1'700'000'000'123};
  SECTION("with everything") {}
  SECTION("with nothing optional") {
    device.activated_at = device.revoked_at = std::nullopt;
  }
  const Session session = session_of("key", device);
  CHECK(stored_and_found(session) == session);
}

TEST_CASE("A session of another type takes the place of the old one, also where it is found") {
  TestStore store;
  store.write([](Writer &db) { put_session(db, user_session("key", "usr_1")); });
  store.write([](Writer &db) { put_session(db, session_of("key", full_service_session())); });
  CHECK(store.read([](Reader &db) { return sessions_of_user(db, "usr_1", 0); }).empty());
  CHECK(keys_of(store.read([](Reader &db) { return sessions_of_instance(db, "svc_1", 0); })) == Names{"key"});
}

TEST_CASE("An expired session doesn't exist for any reader") {
  TestStore store;
  store.write([](Writer &db) {
    put_session(db, user_session("old", "usr_1", 999));
    put_session(db, user_session("new", "usr_1", 1'000));
  });
  CHECK(*find(store, "old", 1'000) == std::nullopt);
  CHECK(*find(store, "new", 1'000));
  CHECK(*find(store, "old", 0));
  store.read([](Reader &db) {
    CHECK(keys_of(list_sessions(db, 1'000)) == Names{"new"});
    CHECK(keys_of(sessions_of_user(db, "usr_1", 1'000)) == Names{"new"});
    CHECK(keys_of(sessions_of_grant(db, "usr_1", "grant_1", 1'000)) == Names{"new"});
    return true;
  });
  store.write([](Writer &db) { CHECK(delete_expired_sessions(db, 1'000) == 1); });
  CHECK(*find(store, "old", 0) == std::nullopt);
}

TEST_CASE("Sessions are found by user, grant and instance, sorted by key") {
  TestStore store;
  store.write([](Writer &db) {
    for (const char *key : {"c", "a", "b"})
      put_session(db, user_session(key, "usr_1"));
    Session other = user_session("d", "usr_1");
    std::get<UserSession>(other.of).identity_grant_id = std::nullopt;
    put_session(db, other);
    put_session(db, user_session("e", "usr_2"));
    put_session(db, session_of("s2", full_service_session()));
    ServiceSession second = full_service_session();
    second.instance_id = "svc_2";
    put_session(db, session_of("s1", second));
  });
  store.read([](Reader &db) {
    CHECK(keys_of(list_sessions(db, 0)) == Names{"a", "b", "c", "d", "e", "s1", "s2"});
    CHECK(keys_of(sessions_of_user(db, "usr_1", 0)) == Names{"a", "b", "c", "d"});
    CHECK(keys_of(sessions_of_grant(db, "usr_1", "grant_1", 0)) == Names{"a", "b", "c"});
    CHECK(session_keys_of_instances(db, {"svc_1", "svc_2", "svc_3"}, 0) == Names{"s1", "s2"});
    return true;
  });
}

TEST_CASE("Touching a session never takes it back, and doesn't create one") {
  TestStore store;
  store.write([](Writer &db) {
    put_session(db, user_session("key", "usr_1", 2'000));
    touch_session(db, "key", 3'000);
    touch_session(db, "key", 2'500);
    touch_session(db, "other", 3'000);
  });
  CHECK((*find(store, "key"))->last_auth == 3'000);
  CHECK(store.read([](Reader &db) { return list_sessions(db, 0).size(); }) == 1);
}

TEST_CASE("Deleting says whether there was a session") {
  TestStore store;
  store.write([](Writer &db) {
    put_session(db, user_session("key", "usr_1"));
    CHECK(delete_session(db, "key"));
    CHECK_FALSE(delete_session(db, "key"));
  });
}

TEST_CASE("A stored session that can't be read is corrupted when it is looked up, and no part of lists") {
  TestStore store;
  std::string broken;
  SECTION("no JSON") {
    broken = "record = '{'";
  }
  SECTION("no object") {
    broken = "record = '[]'";
  }
  SECTION("a member is missing") {
    broken = "record = json_remove(record, '$.userId')";
  }
  SECTION("a member of another type") {
    broken = "record = json_set(record, '$.email', 1)";
  }
  SECTION("an optional member of another type") {
    broken = "record = json_set(record, '$.image', 1)";
  }
  SECTION("a list of another type") {
    broken = "record = json_set(record, '$.capabilities', 'a')";
  }
  SECTION("an item of another type") {
    broken = "record = json_set(record, '$.capabilities[0]', 1)";
  }
  SECTION("an unknown type") {
    broken = "type = 'robot'";
  }
  store.write([&](Writer &db) {
    put_session(db, user_session("bad", "usr_1"));
    put_session(db, user_session("good", "usr_1"));
    CHECK(db.execute("UPDATE sessions SET " + broken + " WHERE session_key = 'bad'") == 1);
  });
  const auto found = find(store, "bad");
  REQUIRE_FALSE(found);
  CHECK(found.error().code == "session_corrupted");
  CHECK(found.error().where == "bad");
  CHECK(keys_of(store.read([](Reader &db) { return list_sessions(db, 0); })) == Names{"good"});
  store.write([](Writer &db) { CHECK(delete_session(db, "bad")); });
}

TEST_CASE("Among 100,000 sessions one is found as fast as among 100") {
  TestStore store;
  const auto fill = [&](int count) {
    store.write([&](Writer &db) {
      put_session(db, user_session("k", "usr_1"));
      db.execute("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) "
                 "INSERT OR REPLACE INTO sessions SELECT 'k' || i, type, created_at, last_auth, 'usr_' || i, "
                 "identity_grant_id, NULL, NULL, record FROM sessions, n WHERE session_key = 'k'",
                 {count});
    });
  };
  const auto lookup_time = [&] { // the median: others use this machine, too
    std::vector<std::chrono::nanoseconds> times;
    for (int i = 0; i < 1'000; ++i) {
      const auto start = std::chrono::steady_clock::now();
      REQUIRE(*find(store, "k" + std::to_string(i % 100)));
      times.push_back(std::chrono::steady_clock::now() - start);
    }
    std::sort(times.begin(), times.end());
    return times[500];
  };
  fill(100);
  const auto few = lookup_time();
  fill(100'000);
  CHECK(store.read([](Reader &db) { return db.query("SELECT 1 FROM sessions LIMIT 1 OFFSET 100000").next(); }));
  const auto many = lookup_time();
  INFO("a look-up among 100: " << few.count() / 1000 << " µs, among 100,000: " << many.count() / 1000 << " µs");
  CHECK(many < 10 * few + std::chrono::milliseconds(2)); // a scan would take hundreds of milliseconds
}
