#include "session_ends.h"

#include "callout_testing.h"
#include "contracts/json.h"
#include "store/authority.h"
#include "store/deployments.h"
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::auth;
using auth::testing::Domain;
using auth::testing::Sent;

namespace {

struct Setup {
  Domain domain;
  NkeySeed server = NkeySeed::generate(NkeyType::server);
  int clients = 0;

  static Session user_session(const SessionKey &key, std::string grant = "g1") {
    UserSession session;
    session.user_id = "usr_pat";
    session.identity = {"idn_x", "local", "pat"};
    session.participant_kind = "app";
    if (!grant.empty()) session.identity_grant_id = std::move(grant);
    session.contract_digest = "d1";
    session.contract_id = "acme.app@v1";
    session.capabilities = {"a::b", "c::d"};
    session.publish_subjects = {"rpc.v1.A"};
    session.subscribe_subjects = {"events.v1.A"};
    return {key.text(), 0, 0, session};
  }
  Session stored(Session session) {
    session.created_at = session.last_auth = domain.now;
    domain.change([&](Writer &db) { put_session(db, session); });
    return session;
  }
  // A connection of the session; returns its user nkey.
  std::string connected(const SessionKey &key, std::string scope) {
    auto user = NkeySeed::generate(NkeyType::user).public_text();
    const auto done =
        domain.connections.record({{key.text(), std::move(scope), user}, server.public_text(), ++clients, ""});
    REQUIRE(done);
    return user;
  }
  BindResult bind(Session session) {
    auto result = bind_session(domain.core, domain.connections, std::move(session));
    REQUIRE(result);
    return std::move(*result);
  }
  std::size_t kicks() const { return domain.journal.with_prefix("$SYS.REQ.SERVER.").size(); }
  std::size_t records() const { return domain.auth.bucket("trellis_connections").size(); }
  std::vector<std::string> revoked_keys() const {
    std::vector<std::string> keys;
    for (const auto &sent : domain.journal.with_prefix("events.v1.Auth.Sessions.Revoked"))
      keys.emplace_back(string_member(parse_json(sent.payload).value(), "sessionKey"));
    std::sort(keys.begin(), keys.end());
    return keys;
  }
  bool revoke(const SessionKey &key) {
    const auto done = revoke_session(domain.core, domain.connections, key.text(), "usr_admin");
    REQUIRE(done);
    return *done;
  }
  void put_grant(const std::string &answer) {
    domain.change([&](Writer &db) {
      IdentityGrant grant;
      grant.identity_grant_id = "g1";
      grant.user_id = "usr_pat";
      grant.provider = "local";
      grant.subject = "pat";
      grant.anchor = R"({"kind":"web","contractId":"acme.app@v1","origin":"https://a.example"})";
      grant.answer = answer;
      grant.approval = "{}";
      put_identity_grant(db, grant);
    });
  }
  bool has_grant() {
    return domain.db->read([](Reader &db) { return find_identity_grant(db, "g1").has_value(); }).value();
  }
};

UserSession &user_of(Session &session) {
  return std::get<UserSession>(session.of);
}

} // namespace

// ---------------------------------------------------------------- bind

TEST_CASE("the first bind makes a session of now and kicks nobody") {
  Setup setup;
  const auto key = SessionKey::generate();
  const auto bound = setup.bind(Setup::user_session(key));
  CHECK_FALSE(bound.replaced);
  CHECK_FALSE(bound.kicked);
  CHECK(bound.stored.created_at == setup.domain.now.load());
  CHECK(setup.domain.session(key.text())->last_auth == setup.domain.now.load());
  CHECK(setup.domain.journal.all().empty());
}

TEST_CASE("a bind with the same authority keeps the connections and the date of creation") {
  Setup setup;
  const auto key = SessionKey::generate();
  const auto first = setup.bind(Setup::user_session(key));
  setup.connected(key, "usr_pat");
  setup.domain.now += 5000;
  auto again = Setup::user_session(key);
  user_of(again).name = "Patricia";
  user_of(again).capabilities = {"c::d", "a::b", "a::b"}; // the same set
  const auto bound = setup.bind(again);
  CHECK_FALSE(bound.kicked);
  CHECK(bound.stored.created_at == first.stored.created_at);
  CHECK(bound.stored.last_auth == setup.domain.now.load());
  CHECK(setup.domain.session(key.text())->user()->name == "Patricia");
  CHECK(setup.kicks() == 0);
}

TEST_CASE("a bind that changes what the session may do kicks its connections after storing") {
  Setup setup;
  const auto key = SessionKey::generate();
  setup.bind(Setup::user_session(key));
  setup.connected(key, "usr_pat");
  auto changed = Setup::user_session(key);
  SECTION("contract digest") {
    user_of(changed).contract_digest = "d2";
  }
  SECTION("contract id") {
    user_of(changed).contract_id = "acme.app@v2";
  }
  SECTION("grant") {
    user_of(changed).identity_grant_id = "g2";
  }
  SECTION("no grant") {
    user_of(changed).identity_grant_id.reset();
  }
  SECTION("participant kind") {
    user_of(changed).participant_kind = "agent";
  }
  SECTION("capabilities") {
    user_of(changed).capabilities = {"a::b"};
  }
  SECTION("publish subjects") {
    user_of(changed).publish_subjects.push_back("rpc.v1.B");
  }
  SECTION("subscribe subjects") {
    user_of(changed).subscribe_subjects.clear();
  }
  const auto digest = user_of(changed).contract_digest;
  setup.domain.journal.on_send([&](const Sent &sent) {
    if (sent.subject.starts_with("$SYS.")) CHECK(setup.domain.session(key.text())->user()->contract_digest == digest);
  });
  const auto bound = setup.bind(changed);
  CHECK(bound.kicked);
  CHECK_FALSE(bound.replaced);
  CHECK(setup.kicks() == 1);
  CHECK(setup.records() == 0);
  CHECK(setup.domain.journal.with_prefix("events.").empty());
}

TEST_CASE("another user, identity or kind of session is replaced") {
  Setup setup;
  const auto key = SessionKey::generate();
  auto before = Setup::user_session(key);
  SECTION("user") {
    user_of(before).user_id = "usr_other";
  }
  SECTION("identity id") {
    user_of(before).identity.identity_id = "idn_y";
  }
  SECTION("identity provider") {
    user_of(before).identity.provider = "github";
  }
  SECTION("identity subject") {
    user_of(before).identity.subject = "bob";
  }
  SECTION("a device's session") {
    before.of = DeviceSession{"dev_1", "d", "c@v1", "d", {}, {}, {}, {}, {}};
  }
  setup.stored(before);
  setup.connected(key, "scope");
  setup.domain.now += 5000;
  const auto bound = setup.bind(Setup::user_session(key));
  CHECK(bound.replaced);
  CHECK(bound.kicked);
  CHECK(bound.stored.created_at == setup.domain.now.load());
  CHECK(setup.kicks() == 1);
}

TEST_CASE("a session that can't be read is replaced, an expired one doesn't count") {
  Setup setup;
  const auto key = SessionKey::generate();
  setup.stored(Setup::user_session(key));
  SECTION("unreadable") {
    setup.domain.change([&](Writer &db) { db.execute("UPDATE sessions SET record = '{}'"); });
    CHECK(setup.bind(Setup::user_session(key)).replaced);
  }
  SECTION("expired") {
    setup.domain.now += 86400001;
    const auto bound = setup.bind(Setup::user_session(key));
    CHECK_FALSE(bound.replaced);
    CHECK(bound.stored.created_at == setup.domain.now.load());
  }
}

TEST_CASE("a bind whose kick fails still succeeds") {
  Setup setup;
  const auto key = SessionKey::generate();
  setup.bind(Setup::user_session(key));
  setup.domain.auth.break_streams(true);
  auto changed = Setup::user_session(key);
  user_of(changed).contract_digest = "d2";
  CHECK(setup.bind(changed).kicked);
  CHECK_FALSE(setup.domain.log_lines.empty());
}

// ---------------------------------------------------------------- revoke

TEST_CASE("revoking a user's session ends all of the same grant and kind, and the approved grant") {
  Setup setup;
  const auto one = SessionKey::generate(), two = SessionKey::generate(), agent = SessionKey::generate(),
             other_grant = SessionKey::generate();
  setup.put_grant("approved");
  setup.stored(Setup::user_session(one));
  setup.stored(Setup::user_session(two));
  auto as_agent = Setup::user_session(agent);
  user_of(as_agent).participant_kind = "agent";
  setup.stored(as_agent);
  setup.stored(Setup::user_session(other_grant, "g2"));
  for (const auto *key : {&one, &two, &agent})
    setup.connected(*key, "usr_pat");

  CHECK(setup.revoke(one));
  CHECK_FALSE(setup.domain.session(one.text()));
  CHECK_FALSE(setup.domain.session(two.text()));
  CHECK(setup.domain.session(agent.text()));
  CHECK(setup.domain.session(other_grant.text()));
  CHECK_FALSE(setup.has_grant());
  CHECK(setup.kicks() == 2);
  auto keys = std::vector{one.text(), two.text()};
  std::sort(keys.begin(), keys.end());
  CHECK(setup.revoked_keys() == keys);
  CHECK_FALSE(setup.revoke(one));
}

TEST_CASE("a denied grant stays, and a session without grant ends alone") {
  Setup setup;
  const auto one = SessionKey::generate(), bare = SessionKey::generate(), other_bare = SessionKey::generate();
  setup.put_grant("denied");
  setup.stored(Setup::user_session(one));
  setup.stored(Setup::user_session(bare, ""));
  setup.stored(Setup::user_session(other_bare, ""));
  CHECK(setup.revoke(one));
  CHECK(setup.has_grant());
  CHECK(setup.revoke(bare));
  CHECK(setup.domain.session(other_bare.text()));
}

TEST_CASE("a revocation is stored, then kicks, then is told") {
  Setup setup;
  const auto key = SessionKey::generate();
  setup.stored(Setup::user_session(key));
  setup.connected(key, "usr_pat");
  const auto before = setup.domain.journal.all().size();
  setup.domain.journal.on_send([&](const Sent &) { CHECK_FALSE(setup.domain.session(key.text())); });
  CHECK(setup.revoke(key));
  std::vector<std::string> order;
  for (const auto &sent : setup.domain.journal.all())
    if (!sent.subject.starts_with("$JS.")) order.push_back(sent.subject.substr(0, 4));
  order.erase(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(before));
  CHECK(order == std::vector<std::string>{"$KV.", "$SYS", "even"});
  const auto event = setup.domain.journal.with_prefix("events.").at(0);
  const auto payload = parse_json(event.payload).value();
  CHECK(string_member(payload, "origin") == "local");
  CHECK(string_member(payload, "id") == "pat");
  CHECK(string_member(payload, "revokedBy") == "usr_admin");
}

TEST_CASE("revoking a service's session disables its instance") {
  Setup setup;
  const auto key = SessionKey::generate();
  setup.domain.change([&](Writer &db) {
    put_service_instance(db, {"svc_1", "billing-eu", key.text(), false, {"service"}, 0});
    put_session(db, {key.text(), setup.domain.now, setup.domain.now,
                     ServiceSession{"tid", "e", "billing-eu", "svc_1", "billing-eu", {}, {}}});
  });
  setup.connected(key, "tid");
  CHECK(setup.revoke(key));
  CHECK(setup.domain.db->read([](Reader &db) { return find_service_instance(db, "svc_1")->disabled; }).value());
  CHECK_FALSE(setup.domain.session(key.text()));
  CHECK(setup.kicks() == 1);
  CHECK(setup.revoked_keys() == std::vector{key.text()});
}

TEST_CASE("revoking a device's session revokes its activation, without an event") {
  Setup setup;
  const auto key = SessionKey::generate();
  setup.domain.change([&](Writer &db) {
    put_activation(db, {"dev_1", key.text(), "d", "activated", {}, 1, {}});
    put_session(db, {key.text(), setup.domain.now, setup.domain.now,
                     DeviceSession{"dev_1", "d", "c@v1", "d", {}, {}, {}, 1, {}}});
  });
  setup.connected(key, "dev_1");
  CHECK(setup.revoke(key));
  const auto activation = setup.domain.db->read([](Reader &db) { return find_activation(db, "dev_1"); }).value();
  CHECK(activation->state == "revoked");
  CHECK(activation->revoked_at == setup.domain.now.load());
  CHECK(setup.kicks() == 1);
  CHECK(setup.revoked_keys().empty());
}

TEST_CASE("an empty key is no request, an unknown one no success") {
  Setup setup;
  const auto empty = revoke_session(setup.domain.core, setup.domain.connections, "", "usr_admin");
  REQUIRE_FALSE(empty);
  CHECK(empty.error().code == "invalid_request");
  CHECK_FALSE(revoke_session(setup.domain.core, setup.domain.connections, "absent", "usr_admin").value());
  CHECK(setup.domain.journal.all().empty());
}

// ---------------------------------------------------------------- end, logout, kick

TEST_CASE("sessions end together with the change that ends them, or not at all") {
  Setup setup;
  const auto key = SessionKey::generate();
  setup.stored(Setup::user_session(key));
  setup.connected(key, "usr_pat");
  const auto refused = end_sessions(setup.domain.core, setup.domain.connections, {key.text()}, "usr_admin",
                                    [](Writer &) -> Result<void> { return fail("nope", {}, "refused"); });
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "nope");
  CHECK(setup.domain.session(key.text()));
  CHECK(setup.kicks() == 0);

  const auto ended =
      end_sessions(setup.domain.core, setup.domain.connections, {key.text()}, "", [](Writer &db) -> Result<void> {
        put_device_deployment(db, {"d", false, true});
        return {};
      });
  CHECK(ended.value() == 1);
  CHECK_FALSE(setup.domain.session(key.text()));
  CHECK(setup.domain.db->read([](Reader &db) { return find_device_deployment(db, "d").has_value(); }).value());
  CHECK(setup.kicks() == 1);
  CHECK(setup.revoked_keys().empty());
}

TEST_CASE("a key whose session has expired is kicked all the same, and doesn't count") {
  Setup setup;
  const auto key = SessionKey::generate();
  setup.stored(Setup::user_session(key));
  setup.connected(key, "usr_pat");
  setup.domain.now += 86400001;
  CHECK(end_sessions(setup.domain.core, setup.domain.connections, {key.text(), "not-a-key.>"}, "").value() == 0);
  CHECK(setup.kicks() == 1);
}

TEST_CASE("logout forgets the session and leaves the kick to its caller") {
  Setup setup;
  const auto key = SessionKey::generate();
  setup.stored(Setup::user_session(key));
  setup.connected(key, "usr_pat");
  CHECK(forget_own_session(setup.domain.core, key.text()).value());
  CHECK_FALSE(setup.domain.session(key.text()));
  CHECK(setup.kicks() == 0);
  CHECK_FALSE(forget_own_session(setup.domain.core, key.text()).value());
}

TEST_CASE("kicking a user key tells about users and services, and their sessions stay") {
  Setup setup;
  const auto key = SessionKey::generate();
  setup.stored(Setup::user_session(key));
  const auto nkey = setup.connected(key, "usr_pat");
  setup.connected(key, "usr_pat");
  const auto kick = [&](std::string_view user_nkey) {
    return kick_connections(setup.domain.core, setup.domain.connections, user_nkey, "usr_admin");
  };
  CHECK(kick(nkey).value());
  CHECK(setup.kicks() == 1);
  CHECK(setup.domain.session(key.text()));
  const auto events = setup.domain.journal.with_prefix("events.v1.Auth.Connections.Kicked");
  REQUIRE(events.size() == 1);
  const auto payload = parse_json(events[0].payload).value();
  CHECK(string_member(payload, "userNkey") == nkey);
  CHECK(string_member(payload, "kickedBy") == "usr_admin");
  CHECK_FALSE(kick(nkey).value());
  CHECK_FALSE(kick("*").value());
  CHECK_FALSE(kick("UNOTHERE").value());
  CHECK(kick("").error().code == "invalid_request");
  CHECK(setup.kicks() == 1);
}

TEST_CASE("a device's connection is kicked without event and doesn't count, one without session does") {
  Setup setup;
  const auto key = SessionKey::generate();
  auto session = Setup::user_session(key);
  session.of = DeviceSession{"dev_1", "d", "c@v1", "d", {}, {}, {}, {}, {}};
  setup.stored(session);
  const auto of_device = setup.connected(key, "dev_1");
  const auto of_nobody = setup.connected(SessionKey::generate(), "usr_gone");
  CHECK_FALSE(kick_connections(setup.domain.core, setup.domain.connections, of_device, "usr_admin").value());
  CHECK(kick_connections(setup.domain.core, setup.domain.connections, of_nobody, "usr_admin").value());
  CHECK(setup.kicks() == 2);
  CHECK(setup.domain.journal.with_prefix("events.").empty());
}
