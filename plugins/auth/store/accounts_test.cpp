#include "store/accounts.h"
#include "store/store_test.h"

using namespace trellis;
using namespace trellis::auth;

namespace {

const std::string kLoneSurrogate = "\xED\xA0\x80"; // as contracts/json.h keeps it

User full_user() {
  return {.user_id = "usr_1",
          .name = "Ada",
          .email = "ada@acme.test",
          .active = false,
          .capabilities = {"admin", "a\"b\\c", "ünï", kLoneSurrogate},
          .groups = {"g"},
          .created_at = 1'700'000'000'123};
}

Identity full_identity() {
  return {.identity_id = identity_id_of("github", "42"),
          .user_id = "usr_1",
          .provider = "github",
          .subject = "42",
          .display_name = "Ada",
          .email = "ada@acme.test",
          .email_verified = true,
          .linked_at = 1,
          .last_login_at = 2};
}

} // namespace

TEST_CASE("An identity's id is derived from provider and subject") {
  CHECK(identity_id_of("local", "ada") == "idn_bG9jYWw6YWRh");
}

TEST_CASE("A user comes back as it was stored") {
  TestStore store;
  User user = full_user();
  SECTION("with everything") {}
  SECTION("with nothing optional") {
    user.name = user.email = std::nullopt;
    user.capabilities.clear();
    user.groups.clear();
  }
  store.write([&](Writer &db) { put_user(db, user); });
  CHECK(store.read([](Reader &db) { return find_user(db, "usr_1"); }) == user);
  CHECK_FALSE(store.read([](Reader &db) { return find_user(db, "usr_2"); }));
}

TEST_CASE("Storing a user again replaces all of it") {
  TestStore store;
  store.write([](Writer &db) { put_user(db, full_user()); });
  User bare;
  bare.user_id = "usr_1";
  store.write([&](Writer &db) { put_user(db, bare); });
  CHECK(store.read(list_users) == std::vector<User>{bare});
}

TEST_CASE("Users are listed by the bytes of their ids") {
  TestStore store;
  store.write([](Writer &db) {
    for (const char *id : {"usr_b", "usr_Z", "usr_é", "usr_a", "usr_"}) {
      User user;
      user.user_id = id;
      put_user(db, user);
    }
  });
  Names order;
  for (const auto &user : store.read(list_users))
    order.push_back(user.user_id);
  CHECK(order == Names{"usr_", "usr_Z", "usr_a", "usr_b", "usr_é"});
}

TEST_CASE("An identity comes back as it was stored") {
  TestStore store;
  Identity identity = full_identity();
  SECTION("with everything") {}
  SECTION("with nothing optional") {
    identity.display_name = identity.email = std::nullopt;
    identity.last_login_at = std::nullopt;
  }
  store.write([&](Writer &db) { put_identity(db, identity); });
  CHECK(store.read([](Reader &db) { return find_identity(db, "github", "42"); }) == identity);
  CHECK(store.read([](Reader &db) { return identities_of(db, "usr_1"); }) == std::vector<Identity>{identity});
  CHECK_FALSE(store.read([](Reader &db) { return find_identity(db, "github", "43"); }));
}

TEST_CASE("An identity whose id is another subject's is refused, and the other stays") {
  TestStore store;
  Identity first = full_identity();
  first.provider = "a", first.subject = "b:c", first.identity_id = identity_id_of("a", "b:c");
  store.write([&](Writer &db) { put_identity(db, first); });
  Identity second = first;
  second.provider = "a:b", second.subject = "c", second.user_id = "usr_2";
  REQUIRE(identity_id_of("a:b", "c") == first.identity_id);
  const auto refused = store->write([&](Writer &db) -> Result<void> {
    put_identity(db, second);
    return {};
  });
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "storage");
  CHECK(store.read([](Reader &db) { return find_identity(db, "a", "b:c"); }) == first);
}

TEST_CASE("A credential comes back as it was stored") {
  TestStore store;
  Credential credential{.identity_id = "idn_1",
                        .hash = "h",
                        .salt = "s",
                        .version = 2,
                        .memory_kib = 65536,
                        .iterations = 3,
                        .parallelism = 4,
                        .set_at = 5,
                        .must_change = true,
                        .failed_logins = 6,
                        .locked_until = 7,
                        .updated_at = 8};
  SECTION("with everything") {}
  SECTION("with nothing optional") {
    credential.locked_until = std::nullopt;
  }
  store.write([&](Writer &db) { put_credential(db, credential); });
  CHECK(store.read([](Reader &db) { return find_credential(db, "idn_1"); }) == credential);
}

TEST_CASE("An account flow comes back as it was stored, and an empty list is not no list") {
  TestStore store;
  AccountFlow flow{.flow_id_hash = "hash",
                   .kind = "identity_link",
                   .target_user_id = "usr_1",
                   .target_identity_id = "idn_1",
                   .target_local_username = "ada",
                   .created_by = "usr_2",
                   .allowed_providers = Names{"local"},
                   .capabilities = Names{},
                   .profile_hint = R"({"name":"Ada"})",
                   .return_to = "/x",
                   .created_at = 1,
                   .expires_at = 2,
                   .consumed_at = 3};
  SECTION("with everything") {}
  SECTION("with nothing optional") {
    flow.target_user_id = flow.target_identity_id = flow.target_local_username = flow.created_by = std::nullopt;
    flow.allowed_providers = flow.capabilities = std::nullopt;
    flow.profile_hint = flow.return_to = std::nullopt;
    flow.consumed_at = std::nullopt;
  }
  store.write([&](Writer &db) { put_account_flow(db, flow); });
  CHECK(store.read([](Reader &db) { return find_account_flow(db, "hash"); }) == flow);
}

TEST_CASE("A list that can't be read is a storage error") {
  TestStore store;
  store.write([](Writer &db) {
    put_user(db, full_user());
    db.execute("UPDATE users SET groups = '[1]'");
  });
  const auto seen = store->read([](Reader &db) { return find_user(db, "usr_1"); });
  REQUIRE_FALSE(seen);
  CHECK(seen.error().code == "storage");
}
