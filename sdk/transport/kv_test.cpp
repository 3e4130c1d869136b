// KV buckets against a real nats-server.
#include "contracts/json_write.h"
#include "nats/nats_test_support.h"
#include "support/nats_server.h"
#include "support/wait_until.h"
#include "transport/kv.h"
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>
#include <thread>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  NatsServer server;
  std::unique_ptr<NatsLoop> loop = start_loop();
  std::unique_ptr<NatsTransport> transport = open_connected(*loop, server.url());
  JetStream jetstream{*transport};
  Kv kv{*transport, "b"};

  Fixture() { REQUIRE(Kv::ensure(*transport, {.bucket = "b"})); }

  std::string config(const std::string &bucket, const char *member) {
    const auto info = jetstream.stream_info("KV_" + bucket);
    REQUIRE(info);
    const JsonValue *value = find_member((*info)["config"], member);
    return value == nullptr ? "absent" : to_json(*value);
  }
};

using Keys = std::vector<std::string>;

} // namespace

TEST_CASE("a bucket of ours looks to the server as the protocol tabulates it") {
  Fixture f;
  REQUIRE(Kv::ensure(*f.transport, {.bucket = "table", .history = 3, .ttl = 5min, .max_value_bytes = 1000}));
  const auto info = f.jetstream.stream_info("KV_table");
  REQUIRE(info);
  const JsonValue &config = (*info)["config"];
  CHECK(string_member(config, "name") == "KV_table");
  CHECK(f.config("table", "subjects") == R"(["$KV.table.>"])");
  CHECK(string_member(config, "retention") == "limits");
  CHECK(string_member(config, "storage") == "file");
  CHECK(string_member(config, "discard") == "new");
  CHECK(string_member(config, "compression") == "none");
  CHECK(f.config("table", "max_msgs_per_subject") == "3");
  CHECK(f.config("table", "max_age") == "300000000000");
  CHECK(f.config("table", "max_msg_size") == "1000");
  CHECK(f.config("table", "max_bytes") == "-1");
  CHECK(f.config("table", "max_msgs") == "-1");
  CHECK(f.config("table", "max_consumers") == "-1");
  CHECK(f.config("table", "duplicate_window") == "120000000000");
  CHECK(f.config("table", "allow_direct") == "true");
  CHECK(f.config("table", "allow_rollup_hdrs") == "true");
  CHECK(f.config("table", "deny_delete") == "false");
  CHECK(f.config("table", "deny_purge") == "false");
  CHECK(f.config("table", "num_replicas") == "1");
  CHECK(f.config("b", "max_age") == "0");
  CHECK(f.config("b", "max_msg_size") == "-1");
}

TEST_CASE("a bucket that lives shorter than two minutes remembers duplicates no longer than it lives") {
  Fixture f;
  REQUIRE(Kv::ensure(*f.transport, {.bucket = "short", .ttl = 30s}));
  CHECK(f.config("short", "duplicate_window") == "30000000000");
}

TEST_CASE("ensure raises the age of an existing bucket and never lowers it") {
  Fixture f;
  REQUIRE(Kv::ensure(*f.transport, {.bucket = "age", .ttl = 5min}));
  REQUIRE(Kv::ensure(*f.transport, {.bucket = "age", .history = 7, .ttl = 1min}));
  CHECK(f.config("age", "max_age") == "300000000000");
  CHECK(f.config("age", "max_msgs_per_subject") == "1"); // the rest is left as it is
  REQUIRE(Kv::ensure(*f.transport, {.bucket = "age", .ttl = 10min}));
  CHECK(f.config("age", "max_age") == "600000000000");
  REQUIRE(Kv::ensure(*f.transport, {.bucket = "age"}));
  CHECK(f.config("age", "max_age") == "0");
  REQUIRE(Kv::ensure(*f.transport, {.bucket = "age", .ttl = 10min}));
  CHECK(f.config("age", "max_age") == "0");
}

TEST_CASE("ensure adjusts a bucket that other tooling made and keeps its other settings") {
  Fixture f;
  REQUIRE(f.jetstream.create_stream(
      "KV_foreign",
      R"({"name":"KV_foreign","subjects":["$KV.foreign.>"],"storage":"memory","max_msgs_per_subject":5,"max_age":1000000000,)"
      R"("duplicate_window":1000000000,"description":"by hand","deny_delete":true})"));
  REQUIRE(Kv::ensure(*f.transport, {.bucket = "foreign", .ttl = 2h}));
  CHECK(f.config("foreign", "max_age") == "7200000000000");
  CHECK(f.config("foreign", "max_msgs_per_subject") == "5");
  CHECK(f.config("foreign", "description") == R"("by hand")");
  CHECK(f.config("foreign", "deny_delete") == "true");
}

TEST_CASE("ensure says why the server refuses") {
  Fixture f;
  CHECK(Kv::ensure(*f.transport, {.bucket = "no.name"}).error().code == kv_error::kInvalidKey);
  const auto refused = Kv::ensure(*f.transport, {.bucket = "replicated", .replicas = 3}); // a single server
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code.starts_with("jetstream_"));
  CHECK(refused.error().where == "KV_replicated");
}

TEST_CASE("several control planes ensure one bucket at once, with different ages") {
  Fixture f;
  for (int round = 0; round < 5; ++round) {
    const std::string bucket = "race" + std::to_string(round);
    std::vector<std::thread> threads;
    std::atomic<int> made = 0;
    for (int t = 0; t < 6; ++t)
      threads.emplace_back([&, t] {
        const auto done = Kv::ensure(*f.transport, {.bucket = bucket, .ttl = std::chrono::minutes(5 + t)});
        if (done) ++made;
      });
    for (auto &thread : threads)
      thread.join();
    CHECK(made == 6);
    REQUIRE(Kv::ensure(*f.transport, {.bucket = bucket, .ttl = 10min}));
    CHECK(f.config(bucket, "max_age") == "600000000000");
  }
}

TEST_CASE("values are put, read and replaced with growing revisions") {
  Fixture f;
  CHECK_FALSE(f.kv.get("k").value());
  const auto first = f.kv.put("k", "one");
  const auto second = f.kv.put("k", "two");
  REQUIRE(first);
  REQUIRE(second);
  CHECK(*second > *first);
  const auto entry = f.kv.get("k");
  REQUIRE(entry);
  REQUIRE(*entry);
  CHECK((**entry).key == "k");
  CHECK((**entry).value == "two");
  CHECK((**entry).revision == *second);
}

TEST_CASE("create refuses a live key and takes a deleted one") {
  Fixture f;
  REQUIRE(f.kv.create("k", "one"));
  const auto again = f.kv.create("k", "two");
  REQUIRE_FALSE(again);
  CHECK(again.error().code == kv_error::kExists);
  CHECK(again.error().where == "k");
  REQUIRE(f.kv.erase("k"));
  REQUIRE(f.kv.create("k", "three"));
  CHECK((**f.kv.get("k")).value == "three");
}

TEST_CASE("create takes a key that another client purged") {
  Fixture f;
  REQUIRE(f.kv.put("k", "one"));
  const Headers purge{{"KV-Operation", "PURGE"}, {"Nats-Rollup", "sub"}};
  REQUIRE(f.jetstream.publish("$KV.b.k", "", &purge));
  CHECK_FALSE(f.kv.get("k").value());
  CHECK(f.kv.create("k", "two"));
}

TEST_CASE("update needs the revision that was read") {
  Fixture f;
  const auto first = f.kv.create("k", "one");
  REQUIRE(first);
  const auto second = f.kv.update("k", "two", *first);
  REQUIRE(second);
  const auto stale = f.kv.update("k", "three", *first);
  REQUIRE_FALSE(stale);
  CHECK(stale.error().code == kv_error::kChanged);
  CHECK((**f.kv.get("k")).value == "two");
}

TEST_CASE("erase with a revision loses against a change") {
  Fixture f;
  const auto first = f.kv.put("k", "one");
  const auto second = f.kv.put("k", "two");
  CHECK(f.kv.erase("k", *first).error().code == kv_error::kChanged);
  CHECK(f.kv.get("k").value());
  CHECK(f.kv.erase("k", *second));
  CHECK_FALSE(f.kv.get("k").value());
  CHECK(f.kv.erase("k", *second).error().code == kv_error::kChanged); // somebody was faster
}

TEST_CASE("deleted keys are listed nowhere, and a delete is the marker that other clients read") {
  Fixture f;
  REQUIRE(f.kv.put("a", "1"));
  REQUIRE(f.kv.put("b", "2"));
  REQUIRE(f.kv.erase("a"));
  CHECK(f.kv.keys(">").value() == Keys{"b"});
  const auto marker = f.jetstream.last_on("KV_b", "$KV.b.a");
  REQUIRE(marker);
  REQUIRE(*marker);
  CHECK((**marker).payload.empty());
  CHECK(header_of(**marker, "KV-Operation") == "DEL");
}

TEST_CASE("keys and entries match a filter and come sorted") {
  Fixture f;
  for (const char *key : {"s2.b64_x.U1", "s1.b64_x.U2", "s1.b64_x.U1", "s1"})
    REQUIRE(f.kv.put(key, std::string("of ") + key));
  CHECK(f.kv.keys("s1.>").value() == Keys{"s1.b64_x.U1", "s1.b64_x.U2"});
  CHECK(f.kv.keys("*.*.U1").value() == Keys{"s1.b64_x.U1", "s2.b64_x.U1"});
  CHECK(f.kv.keys(">").value().size() == 4);
  CHECK(f.kv.keys("s1").value() == Keys{"s1"});
  CHECK(f.kv.keys("none.>").value().empty());
  const auto entries = f.kv.entries("s2.>");
  REQUIRE(entries);
  REQUIRE(entries->size() == 1);
  CHECK(entries->front().key == "s2.b64_x.U1");
  CHECK(entries->front().value == "of s2.b64_x.U1");
  CHECK(entries->front().revision == 1);
}

TEST_CASE("values end with the bucket's age") {
  Fixture f;
  REQUIRE(Kv::ensure(*f.transport, {.bucket = "brief", .ttl = 200ms}));
  Kv brief(*f.transport, "brief");
  REQUIRE(brief.put("k", "one"));
  CHECK(wait_until([&] { return !brief.get("k").value(); }));
  CHECK(brief.keys(">").value().empty());
  CHECK(brief.create("k", "two"));
}

TEST_CASE("keys that are none are refused before they are sent") {
  Fixture f;
  for (const std::string key : {"", ".", "a.", ".a", "a..b", "a b", "a*", "*", ">", "a.>", "$x", "\xc3\xa4"}) {
    CAPTURE(key);
    CHECK(f.kv.put(key, "").error().code == kv_error::kInvalidKey);
    CHECK(f.kv.get(key).error().code == kv_error::kInvalidKey);
    CHECK(f.kv.erase(key).error().code == kv_error::kInvalidKey);
  }
  CHECK(f.kv.put("a-b/c=D_9.x", ""));
  CHECK_FALSE(is_kv_filter("a.>.b"));
  CHECK_FALSE(is_kv_filter("a*"));
  CHECK(is_kv_filter("*.b.>"));
}

TEST_CASE("a bucket that isn't there is an error, not an absent key") {
  Fixture f;
  Kv none(*f.transport, "none");
  CHECK(none.get("k").error().code == jetstream_error::kStreamNotFound);
  CHECK(none.put("k", "v").error().code == transport_error::kNoResponders);
  CHECK(none.keys(">").error().code == jetstream_error::kStreamNotFound);
}

TEST_CASE("of several threads that create one key, one succeeds") {
  Fixture f;
  for (int round = 0; round < 10; ++round) {
    const std::string key = "k" + std::to_string(round);
    if (round % 2 == 1) { // over a marker too
      REQUIRE(f.kv.put(key, "old"));
      REQUIRE(f.kv.erase(key));
    }
    std::atomic<int> created = 0, refused = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        const auto made = f.kv.create(key, "new");
        if (made)
          ++created;
        else if (made.error().code == kv_error::kExists)
          ++refused;
      });
    for (auto &thread : threads)
      thread.join();
    CHECK(created == 1);
    CHECK(refused == 3);
  }
}
