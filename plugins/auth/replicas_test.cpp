// The replica count: what answers decide, and the probe against real servers, alone and as a cluster.
#include "contracts/json.h"
#include "nats/nats_test_support.h"
#include "replicas.h"
#include "support/nats_server.h"
#include "support/wait_until.h"
#include "transport/kv.h"
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::auth;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

constexpr char kSystemUser[] = R"(
accounts {
  SYS: { users: [{user: sys, password: pw}] }
  APP: { jetstream: enabled, users: [{user: app, password: pw}] }
}
system_account: SYS
)";

bool never(const std::string &) {
  return false;
}

} // namespace

TEST_CASE("the first answer with a list of replicas decides") {
  const std::string follower = R"({"server":{"cluster":"c"},"data":{"meta_cluster":{"name":"c","leader":"n0"}}})";
  const std::string leader = R"({"server":{"cluster":"c"},"data":{"meta_cluster":{"leader":"n0","replicas":[)"
                             R"({"name":"n1","current":true},{"name":"n2"}]}}})";
  const std::string small = R"({"data":{"meta_cluster":{"leader":"n0","replicas":[{"name":"n1","current":true}]}}})";
  CHECK(replicas_from_jsz({follower, leader}) == 3);
  CHECK(replicas_from_jsz({follower, small, leader}) == 1);
  CHECK(replicas_from_jsz({follower}) == 1);
  CHECK(replicas_from_jsz({}) == 1);
}

TEST_CASE("servers that are behind and a missing leader don't count") {
  CHECK(replicas_from_jsz({R"({"meta_cluster":{"leader":"n0","replicas":[{"current":false},{"current":true}]}})"}) ==
        1);
  CHECK(replicas_from_jsz({R"({"meta_cluster":{"leader":"","replicas":[{"current":true},{"current":true}]}})"}) == 1);
  CHECK(replicas_from_jsz({R"({"meta_cluster":{"replicas":[{},{},{}]}})"}) == 3);
  CHECK(replicas_from_jsz({R"({"meta_cluster":{"leader":"n0","replicas":[{},{},{},{}]}})"}) == 3);
}

TEST_CASE("answers that are no JSON or of other shapes decide nothing") {
  CHECK(replicas_from_jsz({"no JSON", "[]", "7", R"({"data":7})", R"({"data":{"meta_cluster":[]}})",
                           R"({"meta_cluster":{"replicas":3}})"}) == 1);
  CHECK(replicas_from_jsz({R"({"data":{"meta_cluster":{"leader":7,"replicas":[1,"two",{}]}}})"}) == 3);
}

TEST_CASE("a server of no cluster settles the probe at once") {
  const NatsServer server({.text = kSystemUser});
  const auto loop = start_loop();
  const auto system = open_connected(*loop, server.url_as("sys", "pw"));
  const auto started = std::chrono::steady_clock::now();
  const auto count = probe_replicas(*system, 60s);
  REQUIRE(count);
  CHECK(*count == 1);
  CHECK(std::chrono::steady_clock::now() - started < 30s);
}

TEST_CASE("a probe that nobody answers says so after its limit") {
  const NatsServer server({.text = kSystemUser});
  const auto loop = start_loop();
  const auto ordinary = open_connected(*loop, server.url_as("app", "pw"));
  const auto count = probe_replicas(*ordinary, 100ms);
  REQUIRE_FALSE(count);
  CHECK(count.error().code == "replicas_unknown");
}

TEST_CASE("all answers to one request are collected until the limit") {
  const NatsServer server;
  const auto loop = start_loop();
  const auto client = open_connected(*loop, server.url());
  const auto answer = [](MessagePtr message) { static_cast<void>(message->respond("x")); };
  const auto first = client->subscribe("who", "", answer);
  const auto second = client->subscribe("who", "", answer);
  const auto answers = request_many(*client, "who", 300ms, never);
  REQUIRE(answers);
  CHECK(answers->size() == 2);
}

namespace {

// Three servers that form one JetStream cluster. The routes that lead nowhere only say how many servers there will be:
// ports are the servers' own choice, so the first knows nobody when it starts.
class Cluster {
public:
  Cluster() {
    for (std::size_t i = 0; i < servers_.size(); ++i)
      servers_[i] = std::make_unique<NatsServer>(NatsServer::Config{.text = text_of_server(i)});
  }
  const NatsServer &server(std::size_t index) const { return *servers_[index]; }

private:
  std::string text_of_server(std::size_t index) const {
    const std::string first = index == 0 ? "nats://127.0.0.1:1" : route_of(*servers_[0]);
    // The second and the third learn of each other from the first; without retries a first attempt that fails is the
    // last.
    return std::string(kSystemUser) + "server_name: n" + std::to_string(index) +
           "\ncluster { name: c, listen: \"127.0.0.1:-1\", connect_retries: 600, routes: [\"" + first +
           "\", \"nats://127.0.0.1:2\"] }\n";
  }
  static std::string route_of(const NatsServer &server) {
    const auto ports =
        parse_json(read_file(server.dir() / ("nats-server_" + std::to_string(server.pid()) + ".ports"))).value();
    return std::string(text_of(ports["cluster"][0]));
  }

  std::array<std::unique_ptr<NatsServer>, 3> servers_;
};

std::string replicas_of(Transport &transport, const char *bucket) {
  const auto info = JetStream(transport).stream_info(std::string("KV_") + bucket);
  return info ? to_json((*info)["config"]["num_replicas"]) : info.error().text();
}

} // namespace

TEST_CASE("a cluster of three gives three replicas, from whichever server is asked") {
  const Cluster cluster;
  const auto loop = start_loop();
  for (std::size_t i = 0; i < 3; ++i) {
    const auto system = open_connected(*loop, cluster.server(i).url_as("sys", "pw"));
    INFO("server " << i);
    CHECK(wait_until([&] { return probe_replicas(*system).value_or(0) == 3; }, 60s));
  }
}

TEST_CASE(
    "buckets on a cluster: a probed number only raises, a configured one holds, every server reads what was written") {
  const Cluster cluster;
  const auto loop = start_loop();
  const auto first = open_connected(*loop, cluster.server(0).url_as("app", "pw"));
  const auto second = open_connected(*loop, cluster.server(1).url_as("app", "pw"));
  const auto third = open_connected(*loop, cluster.server(2).url_as("app", "pw"));
  const auto ensured = [&](const KvConfig &config) {
    return wait_until([&] { return Kv::ensure(*first, config).has_value(); }, 60s); // until a leader is elected
  };
  REQUIRE(ensured({.bucket = "b", .replicas = 1}));
  CHECK(replicas_of(*second, "b") == "1");
  REQUIRE(ensured({.bucket = "b", .replicas = 3}));
  CHECK(replicas_of(*second, "b") == "3");
  REQUIRE(ensured({.bucket = "b", .replicas = 1}));
  CHECK(replicas_of(*second, "b") == "3");

  Kv writer(*first, "b");
  Kv readers[] = {Kv(*second, "b"), Kv(*third, "b")};
  for (int i = 0; i < 100; ++i) {
    const std::string value = std::to_string(i);
    REQUIRE(wait_until([&] { return writer.put("k", value).has_value(); }, 60s));
    for (auto &reader : readers) {
      const auto entry = reader.get("k");
      REQUIRE(entry);
      REQUIRE(*entry);
      CHECK((**entry).value == value);
    }
  }

  REQUIRE(ensured({.bucket = "b", .replicas = 1, .lower_replicas = true}));
  CHECK(replicas_of(*second, "b") == "1");
}
