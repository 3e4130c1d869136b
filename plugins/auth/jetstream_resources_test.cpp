// KV buckets of deployments on a real nats-server (02 §7.3, §7.5).
#include "authority_testing.h"
#include "jetstream_resources.h"
#include "nats/nats_test_support.h"
#include "support/nats_server.h"
#include "transport/jetstream.h"
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::auth;

namespace {

ResourceNeed kv(const std::string &alias, const std::string &numbers = R"("history":1,"ttlMs":0)") {
  return {ResourceKind::kv, alias, true, R"({"type":"kv",)" + numbers + "}"};
}

struct Fixture {
  test::NatsServer server;
  std::unique_ptr<NatsLoop> loop = test::start_loop();
  std::unique_ptr<NatsTransport> transport = test::open_connected(*loop, server.url());
  JetStream jetstream{*transport};
  JetStreamResources resources{*transport, *transport, 1, {}};
  std::vector<StoredBinding> stored;

  Result<std::vector<StoredBinding>> provision(std::vector<ResourceNeed> desired) {
    auto done = resources.provision({"acme.prod", std::move(desired), stored, {}, 1000});
    if (done) stored = *done;
    return done;
  }
  std::string bucket(std::size_t index) const {
    const auto binding = parse_json(stored.at(index).binding);
    return std::string(string_member(*binding, "bucket"));
  }
  bool exists(const std::string &bucket_name) { return jetstream.stream_info("KV_" + bucket_name).has_value(); }
  std::int64_t config(const std::string &bucket_name, const char *member) {
    const auto info = jetstream.stream_info("KV_" + bucket_name);
    REQUIRE(info);
    const JsonValue *value = find_member((*info)["config"], member);
    REQUIRE(value);
    return value->GetInt64();
  }
  std::size_t streams() {
    const auto list = jetstream.api("STREAM.NAMES");
    REQUIRE(list);
    const JsonValue *names = find_member(*list, "streams");
    return names && names->IsArray() ? names->Size() : 0;
  }
};

} // namespace

TEST_CASE("a bucket keeps its name and takes up a changed definition in place") {
  Fixture f;
  REQUIRE(f.provision({kv("cache")}));
  const std::string name = f.bucket(0);
  CHECK(name.starts_with("tr_kv_"));
  CHECK(name.size() == 32);
  CHECK(f.config(name, "max_msgs_per_subject") == 1);
  REQUIRE(f.provision({kv("cache", R"("history":9,"ttlMs":60000,"maxValueBytes":100)")}));
  CHECK(f.bucket(0) == name);
  CHECK(f.config(name, "max_msgs_per_subject") == 9);
  CHECK(f.config(name, "max_age") == 60'000'000'000);
  CHECK(f.config(name, "duplicate_window") == 60'000'000'000); // a window beyond max_age would be refused
  CHECK(f.config(name, "max_msg_size") == 100);
}

TEST_CASE("a bucket that nothing asks for any more is deleted, also when it is gone already") {
  Fixture f;
  REQUIRE(f.provision({kv("a"), kv("b")}));
  const std::string a = f.bucket(0), b = f.bucket(1);
  REQUIRE(f.jetstream.delete_stream("KV_" + a));
  REQUIRE(f.provision({}));
  CHECK_FALSE(f.exists(b));
  CHECK(f.stored.empty());
}

TEST_CASE("a run that fails takes back what it made, and nothing that was there before") {
  Fixture f;
  REQUIRE(f.provision({kv("old")}));
  const std::string old = f.bucket(0);
  const auto failed = f.provision({kv("new"), kv("old"), kv("wrong", R"("history":-1)")});
  REQUIRE_FALSE(failed);
  CHECK(failed.error().text().find("wrong") != std::string::npos);
  CHECK(f.exists(old));
  CHECK(f.streams() == 1);
}

TEST_CASE("other kinds of resources are refused by name before anything is made") {
  Fixture f;
  const auto refused = f.provision({kv("a"), {ResourceKind::jobs, "mail", true, "{}"}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text().find("jobs \"mail\"") != std::string::npos);
  CHECK(f.streams() == 0);
}

TEST_CASE("a service with a bucket gets it in its binding, and loses neither when it comes again") {
  Fixture f;
  testing::ControlPlane plane(f.transport.get());
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  plane.make_ready("acme.prod", "one", plane.with_cache);
  const auto binding = [&] {
    const auto body = parse_json(plane.bootstrap("one", plane.with_cache).body);
    REQUIRE(body);
    return to_json((*body)["binding"]["resources"]);
  };
  const std::string first = binding();
  CHECK(first.starts_with(R"({"kv":{"cache":{"bucket":"tr_kv_)"));
  CHECK(binding() == first);
  CHECK(f.streams() == 1);
}
