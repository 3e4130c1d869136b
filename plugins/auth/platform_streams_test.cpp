// The platform's streams and buckets on a real nats-server.
#include "connections_fixture.h"
#include "platform_streams.h"
#include "wire/presence.h"
#include <catch2/catch_test_macros.hpp>
#include <thread>

using namespace trellis;
using namespace trellis::auth;
using namespace trellis::auth::test;
using namespace std::chrono_literals;

namespace {

Result<void> ensure(ControlPlane &plane) {
  return ensure_platform_streams(plane.core, *plane.auth, *plane.trellis, {});
}

} // namespace

TEST_CASE("a server that no tooling ever saw gets the stream of events and the five buckets") {
  ControlPlane plane;
  REQUIRE(ensure(plane));
  CHECK(plane.stream_config(*plane.trellis, "trellis", "subjects") == R"(["events.>"])");
  CHECK(plane.stream_config(*plane.trellis, "trellis", "max_age") == "0");
  CHECK(plane.stream_config(*plane.trellis, "trellis", "storage") == R"("file")");
  CHECK(plane.stream_config(*plane.trellis, "trellis", "retention") == R"("limits")");
  CHECK(plane.stream_config(*plane.auth, "KV_trellis_oauth_states", "max_age") == "300000000000");
  CHECK(plane.stream_config(*plane.auth, "KV_trellis_pending_auth", "max_age") == "300000000000");
  CHECK(plane.stream_config(*plane.auth, "KV_trellis_browser_flows", "max_age") == "1800000000000");
  CHECK(plane.stream_config(*plane.auth, "KV_trellis_connections", "max_age") == "7200000000000");
  CHECK(plane.stream_config(*plane.auth, "KV_trellis_state", "max_age") == "0");
  CHECK(plane.stream_config(*plane.auth, "KV_trellis_state", "duplicate_window") == "120000000000");
  CHECK(plane.stream_config(*plane.auth, "KV_trellis_state", "max_msgs_per_subject") == "1");
  CHECK(plane.lines.all() == "");
}

TEST_CASE("browser flows live as long as the longer of the two logins") {
  ControlPlane plane;
  plane.config.ttl_ms.oauth = 3'600'000;
  REQUIRE(ensure(plane));
  CHECK(plane.stream_config(*plane.auth, "KV_trellis_browser_flows", "max_age") == "3600000000000");
}

TEST_CASE("what exists is kept: a start after another changes nothing, a longer time to live is raised") {
  ControlPlane plane;
  REQUIRE(ensure(plane));
  plane.config.ttl_ms.connections = 3'600'000;
  plane.config.ttl_ms.pending_auth = 600'000;
  REQUIRE(ensure(plane));
  CHECK(plane.stream_config(*plane.auth, "KV_trellis_connections", "max_age") == "7200000000000");
  CHECK(plane.stream_config(*plane.auth, "KV_trellis_pending_auth", "max_age") == "600000000000");
  CHECK(plane.lines.all() == "");
}

TEST_CASE("a state bucket that forgets is made to remember") {
  ControlPlane plane;
  REQUIRE(Kv::ensure(*plane.auth, {.bucket = kStateBucket, .ttl = 1h}));
  REQUIRE(ensure(plane));
  CHECK(plane.stream_config(*plane.auth, "KV_trellis_state", "max_age") == "0");
}

TEST_CASE("an existing stream of events is left as it is, with a warning when it misses some") {
  ControlPlane plane;
  JetStream jetstream(*plane.trellis);
  REQUIRE(jetstream.create_stream("trellis", R"({"name":"trellis","subjects":["events.v1.Auth.>"],"max_msgs":10})"));
  REQUIRE(ensure(plane));
  CHECK(plane.stream_config(*plane.trellis, "trellis", "subjects") == R"(["events.v1.Auth.>"])");
  CHECK(plane.lines.mentions("doesn't capture events.>"));
}

TEST_CASE("an existing stream that captures more than the events is fine") {
  ControlPlane plane;
  JetStream jetstream(*plane.trellis);
  REQUIRE(jetstream.create_stream("trellis", R"({"name":"trellis","subjects":["other","events.>"],"max_msgs":10})"));
  REQUIRE(ensure(plane));
  CHECK(plane.lines.all() == "");
}

TEST_CASE("several control planes start at once") {
  ControlPlane plane;
  std::vector<std::thread> threads;
  std::atomic<int> done = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      if (ensure(plane)) ++done;
    });
  for (auto &thread : threads)
    thread.join();
  CHECK(done == 4);
}

TEST_CASE("a start without JetStream fails and names what is missing") {
  ControlPlane plane;
  const auto without = ensure_platform_streams(plane.core, *plane.system, *plane.trellis, {});
  REQUIRE_FALSE(without);
  CHECK(without.error().where.find("trellis_oauth_states") != std::string::npos);
}

TEST_CASE("a configured number of replicas is taken as it is, and a failing probe gives one") {
  ControlPlane plane;
  CHECK(choose_replicas(plane.core, *plane.system).count == 1);
  CHECK(plane.lines.all() == "");
  CHECK(choose_replicas(plane.core, *plane.trellis).count == 1); // not the system account: nobody answers
  CHECK(plane.lines.mentions("size is unknown"));
  plane.config.replicas = 5;
  CHECK(choose_replicas(plane.core, *plane.trellis).count == 5);
  CHECK(choose_replicas(plane.core, *plane.trellis).configured);
}

TEST_CASE("a pattern covers another when it matches all that the other does") {
  CHECK(pattern_covers("events.>", "events.>"));
  CHECK(pattern_covers(">", "events.>"));
  CHECK(pattern_covers("*.>", "events.>"));
  CHECK_FALSE(pattern_covers("events.*", "events.>"));
  CHECK_FALSE(pattern_covers("events", "events.>"));
  CHECK_FALSE(pattern_covers("events.v1.>", "events.>"));
  CHECK(pattern_covers("a.*", "a.b"));
  CHECK_FALSE(pattern_covers("a.b", "a.*"));
}
