// Presence, kicks and events on a real nats-server: connections are real, and so are the advisories about their end.
#include "connections.h"
#include "connections_fixture.h"
#include "contracts/json_write.h"
#include "platform_streams.h"
#include "store/authority.h"
#include "support/wait_until.h"
#include "wire/ulid.h"
#include <catch2/catch_test_macros.hpp>
#include <thread>

using namespace trellis;
using namespace trellis::auth;
using namespace trellis::auth::test;
using namespace std::chrono_literals;

namespace {

const std::string kSession(43, 'S');
const std::string kOtherSession(43, 'T');

// Advisories of the system account, in the order of arrival. Thread-safe.
class Advisories {
public:
  explicit Advisories(Transport &system)
      : subscription_(system.subscribe("$SYS.ACCOUNT.>", "", [this](MessagePtr message) {
          const std::lock_guard lock(mutex_);
          texts_.push_back({std::string(message->subject()), std::string(message->payload())});
        })) {
    if (!subscription_ || !system.flush(20s)) throw std::runtime_error("no advisories");
  }
  // The advisory about the connection called `name` whose subject ends in `kind`, or "" when there is none yet.
  std::string find(std::string_view kind, std::string_view name) const {
    const std::lock_guard lock(mutex_);
    for (const auto &[subject, text] : texts_)
      if (subject.ends_with(kind) && holds(text, "\"name\":\"" + std::string(name) + "\"")) return text;
    return {};
  }
  std::string wait(std::string_view kind, std::string_view name) const {
    if (!wait_until([&] { return !find(kind, name).empty(); })) throw std::runtime_error("no advisory");
    return find(kind, name);
  }

private:
  mutable std::mutex mutex_; // guards texts_
  std::vector<std::pair<std::string, std::string>> texts_;
  Result<std::unique_ptr<Subscription>> subscription_; // last: ends before what its callback uses
};

struct Fixture : ControlPlane {
  Fixture() {
    if (const auto made = ensure_platform_streams(core, *auth, *trellis, {}); !made)
      throw std::runtime_error(made.error().text());
  }

  Advisories advisories{*system};
  Connections connections{core, *auth, *system, *trellis};

  // A participant's connection called `name`.
  std::unique_ptr<NatsTransport> connect(const std::string &name, const char *user = "trellis") {
    auto options = trellis::test::Log::plain_options(server.url_as(user, "pw"));
    options.name = name;
    options.backoff_min = options.backoff_max = 10min; // once ended it stays so
    return open_connected(*loop, std::move(options));
  }
  // The record of the connection called `name`, as the callout would write it.
  ConnectionRecord record_of(const std::string &name, std::string session_key, std::string scope, std::string nkey) {
    const auto advisory = parse_json(advisories.wait(".CONNECT", name)).value();
    return {.key = {std::move(session_key), std::move(scope), std::move(nkey)},
            .server_id = std::string(string_member(advisory["server"], "id")),
            .client_id = advisory["client"]["id"].GetInt64(),
            .connected_at = iso_time(now)};
  }
  // A connection that has ended by itself, with its record still there.
  std::string ended(const std::string &name, const std::string &session_key, const std::string &scope) {
    const auto connection = connect(name);
    REQUIRE(connections.record(record_of(name, session_key, scope, "U" + name)));
    connection->close(5s);
    return advisories.wait(".DISCONNECT", name);
  }

  void put(const Session &session) {
    REQUIRE(db->write([&](Writer &writer) -> Result<void> {
      put_session(writer, session);
      return {};
    }));
  }
  void put_user(const std::string &session_key) {
    UserSession user;
    user.user_id = "usr_1";
    user.identity = {"idn_1", "github", "alice"};
    user.participant_kind = "app";
    put({.session_key = session_key, .created_at = now, .last_auth = now, .of = std::move(user)});
  }
  void put_service(const std::string &session_key) {
    ServiceSession service;
    service.instance_id = "svc_1";
    service.deployment_id = "dep";
    put({.session_key = session_key, .created_at = now, .last_auth = now, .of = std::move(service)});
  }

  // Payloads of the stored events called `name`.
  std::vector<std::string> events(const std::string &name) {
    std::vector<std::string> out;
    JetStream jetstream(*trellis);
    const auto info = jetstream.stream_info("trellis");
    REQUIRE(info);
    const auto last = (*info)["state"]["last_seq"].GetUint64();
    for (std::uint64_t sequence = 1; sequence <= last; ++sequence) {
      const auto answer = jetstream.api("STREAM.MSG.GET.trellis", "{\"seq\":" + std::to_string(sequence) + "}");
      REQUIRE(answer);
      const JsonValue &message = (*answer)["message"];
      if (string_member(message, "subject") != "events.v1." + name) continue;
      const auto payload = base64url_decode(string_member(message, "data")).value();
      out.emplace_back(as_text(payload));
    }
    return out;
  }
  bool has_event(const std::string &name) {
    return wait_until([&] { return !events(name).empty(); });
  }
};

} // namespace

TEST_CASE("a record is stored as other control planes read it, and found by session, user key and at all") {
  Fixture f;
  const ConnectionRecord first{{kSession, "usr_1", "UA"}, "NSERVER", 7, "2026-01-02T03:04:05.678Z"};
  const ConnectionRecord second{{kSession, "usr.2", "UB"}, "NSERVER", 8, "2026-01-02T03:04:05.678Z"};
  const ConnectionRecord third{{kOtherSession, "usr_1", "UC"}, "NOTHER", 7, "2026-01-02T03:04:05.678Z"};
  for (const auto *record : {&first, &second, &third})
    REQUIRE(f.connections.record(*record));
  Kv bucket(*f.auth, kConnectionsBucket);
  const auto entry = bucket.get(kSession + ".b64_dXNyXzE.UA");
  REQUIRE(entry);
  REQUIRE(*entry);
  CHECK((**entry).value == R"({"serverId":"NSERVER","clientId":7,"connectedAt":"2026-01-02T03:04:05.678Z"})");

  CHECK(f.connections.of_session(kSession)->size() == 2);
  CHECK(f.connections.all()->size() == 3);
  const auto found = f.connections.of_user_nkey("UB");
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  CHECK(found->front().key.scope_id == "usr.2");
  CHECK(found->front().server_id == "NSERVER");
  CHECK(found->front().client_id == 8);
  CHECK(found->front().connected_at == "2026-01-02T03:04:05.678Z");
}

TEST_CASE("a record that JetStream doesn't take is stored later, with its connection still there") {
  Fixture f;
  REQUIRE(JetStream(*f.auth).delete_stream("KV_trellis_connections"));
  const auto listener = f.auth->subscribe("$KV.>", "", [](MessagePtr) {}); // never acknowledges
  REQUIRE(listener);
  REQUIRE(f.auth->flush(20s));
  const auto guest = f.connect("guest");
  const auto record = f.record_of("guest", kSession, "usr_1", "UA");
  const auto begin = std::chrono::steady_clock::now();
  const auto recorded = f.connections.record(record);
  CHECK(std::chrono::steady_clock::now() - begin < 2s); // the protocol's limit for all of a callout (03 §2.3)
  REQUIRE_FALSE(recorded);
  CHECK(recorded.error().code == transport_error::kTimeout);
  REQUIRE(ensure_platform_streams(f.core, *f.auth, *f.trellis, {}));
  f.connections.store_backlog();
  const auto stored = Kv(*f.auth, kConnectionsBucket).get(format_connection_key(record.key));
  REQUIRE(stored);
  CHECK(*stored);
  f.put_user(kSession);
  guest->close(5s);
  f.connections.disconnected(f.advisories.wait(".DISCONNECT", "guest"));
  CHECK(f.connections.all()->empty());
  CHECK(f.has_event("Auth.Connections.Closed"));
}

TEST_CASE("a connection that ends before its record is stored is announced, and leaves none behind") {
  Fixture f;
  f.put_user(kSession);
  REQUIRE(JetStream(*f.auth).delete_stream("KV_trellis_connections"));
  const auto guest = f.connect("guest");
  CHECK_FALSE(f.connections.record(f.record_of("guest", kSession, "usr_1", "UA")));
  REQUIRE(ensure_platform_streams(f.core, *f.auth, *f.trellis, {}));
  guest->close(5s);
  f.connections.disconnected(f.advisories.wait(".DISCONNECT", "guest"));
  f.connections.store_backlog();
  CHECK(f.connections.all()->empty());
  CHECK(f.has_event("Auth.Connections.Closed"));
}

TEST_CASE("entries of another shape are skipped") {
  Fixture f;
  Kv bucket(*f.auth, kConnectionsBucket);
  const std::string good = R"({"serverId":"N","clientId":7,"connectedAt":""})";
  REQUIRE(bucket.put(kSession + ".plain.UA", good));
  REQUIRE(bucket.put(kSession + ".b64_dXNyXzE", good));
  REQUIRE(bucket.put(kSession + ".b64_dXNyXzE.UB", "no JSON"));
  REQUIRE(bucket.put(kSession + ".b64_dXNyXzE.UC", R"({"serverId":7,"clientId":"x"})"));
  REQUIRE(bucket.put(kSession + ".b64_dXNyXzE.UD", good));
  const auto all = f.connections.all();
  REQUIRE(all);
  REQUIRE(all->size() == 1);
  CHECK(all->front().key.user_nkey == "UD");
}

TEST_CASE("a kick deletes the record and ends the connection, which is no close of its own") {
  Fixture f;
  f.put_user(kSession);
  const auto victim = f.connect("victim");
  const auto record = f.record_of("victim", kSession, "usr_1", "UA");
  REQUIRE(f.connections.record(record));
  f.connections.kick(record);
  CHECK(wait_until([&] { return victim->state() != ConnectionState::connected; }));
  CHECK(f.connections.all()->empty());
  CHECK(f.lines.all().empty());
  const auto advisory = f.advisories.wait(".DISCONNECT", "victim");
  CHECK(holds(advisory, "Kicked"));
  f.connections.disconnected(advisory);
  Connections other(f.core, *f.auth, *f.system, *f.trellis); // another process gets the advisory
  other.disconnected(advisory);
  CHECK(f.events("Auth.Connections.Closed").empty());
}

TEST_CASE("a session's connections are kicked, those of one scope or all") {
  Fixture f;
  const auto first = f.connect("first");
  const auto second = f.connect("second");
  const auto stranger = f.connect("stranger");
  REQUIRE(f.connections.record(f.record_of("first", kSession, "usr_1", "UA")));
  REQUIRE(f.connections.record(f.record_of("second", kSession, "usr_2", "UB")));
  REQUIRE(f.connections.record(f.record_of("stranger", kOtherSession, "usr_1", "UC")));
  f.connections.kick_session(kSession, "usr_2");
  CHECK(wait_until([&] { return second->state() != ConnectionState::connected; }));
  CHECK(first->state() == ConnectionState::connected);
  CHECK(f.connections.all()->size() == 2);
  f.connections.kick_session(kSession);
  CHECK(wait_until([&] { return first->state() != ConnectionState::connected; }));
  CHECK(stranger->state() == ConnectionState::connected);
  CHECK(f.connections.all()->size() == 1);
}

TEST_CASE("a kick of a connection that is gone is done, and one that no server answers is logged") {
  Fixture f;
  f.connect("gone");
  auto record = f.record_of("gone", kSession, "usr_1", "UA");
  record.client_id += 1000;
  f.connections.kick(record);
  CHECK(f.lines.all().empty());
  record.server_id = "NNOSUCHSERVER";
  f.connections.kick(record);
  CHECK(f.lines.mentions("no answer to a kick"));
  record.server_id = "N.>"; // a record that would address others
  f.connections.kick(record);
  CHECK(f.lines.warnings() == 1);
}

TEST_CASE("events are stored with their id, and carry who and what") {
  Fixture f;
  f.connections.opened({"github", "alice"}, kSession, "UA");
  f.connections.closed({"service", kSession}, kSession, "UA");
  f.connections.kicked({"github", "alice"}, "UA", "usr_9");
  f.connections.revoked({"github", "alice"}, kSession, "usr_9");
  REQUIRE(f.has_event("Auth.Sessions.Revoked"));
  const auto only = [&](const char *name) {
    const auto found = f.events(name);
    REQUIRE(found.size() == 1);
    return parse_json(found.front()).value();
  };
  const auto opened = only("Auth.Connections.Opened");
  CHECK(opened.MemberCount() == 5);
  CHECK(string_member(opened, "origin") == "github");
  CHECK(string_member(opened, "id") == "alice");
  CHECK(string_member(opened, "sessionKey") == kSession);
  CHECK(string_member(opened, "userNkey") == "UA");
  CHECK(string_member(opened["header"], "time") == iso_time(f.now));
  CHECK(string_member(opened["header"], "id").size() == 26);
  CHECK(string_member(only("Auth.Connections.Closed"), "origin") == "service");
  const auto kicked = only("Auth.Connections.Kicked");
  CHECK(kicked.MemberCount() == 5);
  CHECK(string_member(kicked, "kickedBy") == "usr_9");
  const auto revoked = only("Auth.Sessions.Revoked");
  CHECK(revoked.MemberCount() == 5);
  CHECK(string_member(revoked, "revokedBy") == "usr_9");

  const auto stored = JetStream(*f.trellis).last_on_leader("trellis", "events.v1.Auth.Connections.Opened");
  REQUIRE(stored);
  REQUIRE(*stored);
  CHECK(header_of(**stored, "Nats-Msg-Id") == string_member(opened["header"], "id"));
  CHECK(f.lines.all().empty());
}

TEST_CASE("an event without a stream is logged, and delays nobody even when somebody else listens") {
  Fixture f;
  REQUIRE(JetStream(*f.trellis).delete_stream("trellis"));
  f.connections.opened({"github", "alice"}, kSession, "UA");
  CHECK(wait_until([&] { return f.lines.mentions("an event can't be published"); }));
  CHECK(f.lines.mentions("Auth.Connections.Opened"));

  const auto listener = f.trellis->subscribe("events.>", "", [](MessagePtr) {}); // never acknowledges
  REQUIRE(listener);
  REQUIRE(f.trellis->flush(20s));
  const auto started = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i)
    f.connections.opened({"github", "alice"}, kSession, "UA");
  CHECK(std::chrono::steady_clock::now() - started < 4s); // each would wait 5 s for its acknowledgement
}

TEST_CASE("a connection that ends by itself loses its record and is announced once") {
  Fixture f;
  f.put_user(kSession);
  const auto advisory = f.ended("guest", kSession, "usr_1");
  f.connections.disconnected(advisory);
  CHECK(f.connections.all()->empty());
  REQUIRE(f.has_event("Auth.Connections.Closed"));
  const auto event = parse_json(f.events("Auth.Connections.Closed").front()).value();
  CHECK(string_member(event, "origin") == "github");
  CHECK(string_member(event, "id") == "alice");
  CHECK(string_member(event, "sessionKey") == kSession);
  CHECK(string_member(event, "userNkey") == "Uguest");
  f.connections.disconnected(advisory);
  CHECK(f.events("Auth.Connections.Closed").size() == 1);
  CHECK(f.lines.all().empty());
}

TEST_CASE("a record that another process wrote is found when its connection ends") {
  Fixture f;
  f.put_user(kSession);
  Connections other(f.core, *f.auth, *f.system, *f.trellis);
  const auto first = f.ended("first", kSession, "usr_1");
  other.disconnected(first);
  CHECK(f.connections.all()->empty());
  const auto second = f.ended("second", kSession, "usr_1"); // written after the other has read the bucket
  other.disconnected(second);
  CHECK(f.connections.all()->empty());
  CHECK(wait_until([&] { return f.events("Auth.Connections.Closed").size() == 2; }));
}

TEST_CASE("of two processes that get the same advisory one announces it") {
  Fixture f;
  f.put_user(kSession);
  Connections other(f.core, *f.auth, *f.system, *f.trellis);
  for (int round = 0; round < 10; ++round) {
    const auto advisory = f.ended("c" + std::to_string(round), kSession, "usr_1");
    std::thread rival([&] { other.disconnected(advisory); });
    f.connections.disconnected(advisory);
    rival.join();
  }
  CHECK(f.connections.all()->empty());
  f.connections.revoked({"mark", "end"}, kSession, ""); // stored after all before it
  REQUIRE(f.has_event("Auth.Sessions.Revoked"));
  CHECK(f.events("Auth.Connections.Closed").size() == 10);
}

TEST_CASE("disconnects in other accounts, of unknown connections and unreadable ones change nothing") {
  Fixture f;
  f.put_user(kSession);
  const auto stays = f.connect("stays");
  const auto record = f.record_of("stays", kSession, "usr_1", "UA");
  REQUIRE(f.connections.record(record));
  const std::string client = ",\"client\":{\"id\":" + std::to_string(record.client_id) + ",\"acc\":";
  const std::string server = R"({"server":{"id":")" + record.server_id + "\"}";
  f.connections.disconnected(server + client + "\"AUTH\"}}");
  f.connections.disconnected(server + R"(,"client":{"id":999999,"acc":"TRELLIS"}})");
  f.connections.disconnected(server + R"(,"client":{"id":"x","acc":"TRELLIS"}})");
  f.connections.disconnected("no JSON");
  f.connections.disconnected("[]");
  CHECK(f.connections.all()->size() == 1);
  CHECK(f.lines.all().empty());
  f.connections.disconnected(server + client + "\"TRELLIS\"}}");
  CHECK(f.connections.all()->empty());
}

TEST_CASE("the end of a connection without a session, or of a device, is no event") {
  Fixture f;
  f.connections.disconnected(f.ended("nobody", kSession, "usr_1"));
  DeviceSession device;
  device.instance_id = "dev_1";
  f.put({.session_key = kOtherSession, .created_at = f.now, .last_auth = f.now, .of = device});
  f.connections.disconnected(f.ended("device", kOtherSession, "dev_1"));
  CHECK(f.connections.all()->empty());
  f.connections.revoked({"mark", "end"}, kSession, "");
  REQUIRE(f.has_event("Auth.Sessions.Revoked"));
  CHECK(f.events("Auth.Connections.Closed").empty());
}

TEST_CASE("a service's offers are marked when its last connection ends, and never go stale by that") {
  Fixture f;
  f.put_service(kSession);
  Offer offer;
  offer.offer_id = "o1";
  offer.lineage_key = "l1";
  offer.deployment_id = "dep";
  offer.instance_id = "svc_1";
  offer.contract_id = "acme.a@v1";
  offer.contract_digest = "d1";
  offer.first_offered_at = f.now;
  offer.last_refreshed_at = f.now;
  Offer stale = offer, other = offer;
  stale.offer_id = "o2";
  stale.stale_at = f.now;
  other.offer_id = "o3";
  other.instance_id = "svc_2";
  REQUIRE(f.db->write([&](Writer &writer) -> Result<void> {
    for (const auto *each : {&offer, &stale, &other})
      put_offer(writer, *each);
    return {};
  }));
  const auto liveness = [&] {
    std::string out;
    const auto offers = f.db->read([](Reader &db) { return offers_of_deployment(db, "dep"); });
    REQUIRE(offers);
    for (const auto &each : *offers)
      out += each.offer_id + ":" + each.liveness + (each.stale_at ? ":stale " : " ");
    return out;
  };

  const auto staying = f.connect("staying");
  REQUIRE(f.connections.record(f.record_of("staying", kSession, "id", "UA")));
  f.now += 1000;
  f.connections.disconnected(f.ended("leaving", kSession, "id"));
  REQUIRE(f.db->write([](Writer &) -> Result<void> { return {}; })); // takes along what was queued before
  CHECK(liveness() == "o1:healthy o2:healthy:stale o3:healthy ");

  staying->close(5s);
  f.now += 1000;
  f.connections.disconnected(f.advisories.wait(".DISCONNECT", "staying"));
  CHECK(wait_until([&] { return liveness() == "o1:disconnected o2:healthy:stale o3:healthy "; }));
  const auto offers = f.db->read([](Reader &db) { return offers_of_deployment(db, "dep"); });
  CHECK(offers->front().last_refreshed_at == f.now.load());
  const auto closed = f.events("Auth.Connections.Closed");
  REQUIRE(closed.size() == 2);
  CHECK(string_member(parse_json(closed.front()).value(), "origin") == "service");
  CHECK(string_member(parse_json(closed.front()).value(), "id") == kSession);
}

TEST_CASE("connections that ended without a word are forgotten when their records have expired") {
  ControlPlane plane;
  REQUIRE(Kv::ensure(*plane.auth, {.bucket = kConnectionsBucket, .ttl = 200ms}));
  ConnectionIndex index(*plane.auth);
  Kv bucket(*plane.auth, kConnectionsBucket);
  for (int i = 1; i <= 50; ++i) {
    const ConnectionRecord record{{kSession, "usr_1", "U" + std::to_string(i)}, "N", i, ""};
    REQUIRE(bucket.put(format_connection_key(record.key), connection_value(record)));
    index.add(record);
  }
  CHECK(index.size() == 50);
  CHECK(wait_until([&] { return bucket.keys(">").value().empty(); }));
  CHECK_FALSE(index.take("N", 1000, std::chrono::steady_clock::now()).value()); // not there: asks for the list
  CHECK(index.size() == 0);
}

TEST_CASE("disconnects without a record that came before the last list don't cost another") {
  ControlPlane plane;
  REQUIRE(Kv::ensure(*plane.auth, {.bucket = kConnectionsBucket, .ttl = 60s}));
  ConnectionIndex index(*plane.auth);
  Kv bucket(*plane.auth, kConnectionsBucket);
  const auto heard = std::chrono::steady_clock::now();
  CHECK_FALSE(index.take("N", 1, heard).value()); // asks for the list
  // Stored after the list: whoever asks for a list again finds it.
  const ConnectionRecord record{{kSession, "usr_1", "U1"}, "N", 7, ""};
  REQUIRE(bucket.put(format_connection_key(record.key), connection_value(record)));
  CHECK_FALSE(index.take("N", 7, heard).value());
  CHECK(index.take("N", 7, std::chrono::steady_clock::now()).value() == format_connection_key(record.key));
}
