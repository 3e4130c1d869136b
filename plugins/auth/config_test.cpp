#include "config.h"

#include "http_urls.h"
#include "jsonc.h"
#include "support/temp_dir.h"
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>

namespace trellis::auth {
namespace {

// A complete configuration; `more` is added in front, so that it must end with a comma.
std::string config_text(const std::string &more = "", const std::string &client = R"(["wss://n.test/ws"])",
                        const std::string &session = R"("sessionKeySeed":"seed")") {
  return "{" + more +
         R"("nats":{"servers":"nats://a:1","trellis":{"credsPath":"t.creds"},"auth":{"credsPath":"a.creds"},
    "system":{"credsPath":"s.creds"},"sentinelCredsPath":"x.creds","authCallout":{"issuer":{"nkey":"A","signing":"S"},
    "target":{"nkey":"B","signing":"S"},"sxSeed":"X"}},)" +
         session + R"(,"client":{"natsServers":)" + client +
         R"(},"oauth":{"redirectBase":"https://t.test/auth/callback","providers":{}}})";
}

Result<ControlPlaneConfig> parse(const std::string &text) {
  return parse_control_plane_config(text, "/etc/trellis/config.jsonc", [](const auto &file) -> Result<SecretText> {
    return SecretText("content of " + file.string());
  });
}

std::string refusal(const std::string &text) {
  const auto config = parse(text);
  return config ? "accepted" : config.error().where;
}

TEST_CASE("comments and trailing commas are no part of the text, wherever strings look like them") {
  CHECK(plain_json("[1,2,]") == "[1,2 ]");
  CHECK(plain_json("{\"a\":1 , /* x */ }") == "{\"a\":1           }");
  CHECK(plain_json("[\"//\",\"/* */\",\",]\"]") == "[\"//\",\"/* */\",\",]\"]");
  CHECK(plain_json("1 // a\n2") == "1     \n2");
  CHECK(plain_json("[,]") == "[,]");
  CHECK(plain_json("[1,,]") == "[1,,]");
  CHECK(plain_json("/* open") == "/* open");
  CHECK(plain_json("\"a\\\"//b\"") == "\"a\\\"//b\"");
}

TEST_CASE("an error in the text names its line and column") {
  CHECK(refusal("{\n  \"a\": 1,\n  x\n}") == "3:3");
  CHECK(refusal("") == "1:1");
  CHECK(refusal("  // nothing\n") == "1:1");
}

TEST_CASE("an error in a value names its key") {
  CHECK(refusal(config_text()) == "accepted");
  CHECK(refusal(config_text(R"("port":"abc",)")) == "port");
  CHECK(refusal(config_text(R"("port":true,)")) == "port");
  CHECK(refusal(config_text(R"("web":{"origin":[]},)")) == "web.origin");
  CHECK(refusal(config_text(R"("web":{"origins":[1]},)")) == "web.origins[0]");
  CHECK(refusal(config_text(R"("web":{"publicOrigin":"http://t.test"},)")) == "web.publicOrigin");
  CHECK(refusal(config_text(R"("auth":{"localIdentity":{"passwordPolicy":{"minLength":8.5}}},)")) ==
        "auth.localIdentity.passwordPolicy.minLength");
  CHECK(refusal(config_text(R"("ttlMs":[],)")) == "ttlMs");
  CHECK(refusal(config_text("", R"(["ws://n.test"])")) == "client.natsServers[0]");
  CHECK(refusal(config_text("", R"(["no url"])")) == "client.natsServers[0]");
  CHECK(refusal(config_text("", R"([])")) == "client.natsServers");
  CHECK(refusal(config_text(R"("limits":{"httpBodyBytes":0},)")) == "limits.httpBodyBytes");
  CHECK(refusal("[]") == "");
}

// Both ends of a limit's range are taken, and what is beyond, or no whole number, is refused by its name.
void check_range(const std::string &table, const std::string &key, std::int64_t least, std::int64_t most) {
  const auto given = [&](const std::string &value) {
    return refusal(config_text("\"" + table + "\":{\"" + key + "\":" + value + "},"));
  };
  const std::string name = table + "." + key;
  INFO(name);
  CHECK(given(std::to_string(least)) == "accepted");
  CHECK(given(std::to_string(most)) == "accepted");
  CHECK(given(std::to_string(least - 1)) == name);
  CHECK(given(std::to_string(most + 1)) == name);
  CHECK(given(std::to_string(least) + ".5") == name);
  CHECK(given("\"many\"") == name);
}

TEST_CASE("a limit out of its range is refused by its name") {
  check_range("limits", "httpBodyBytes", 1024, 1 << 30);
  check_range("limits", "httpHeaderBytes", 1024, 1 << 30);
  check_range("limits", "httpConnections", 1, 1 << 20);
  check_range("limits", "httpTimeoutMs", 100, 3600000);
  check_range("limits", "httpWorkers", 1, 4096);
  check_range("limits", "passwordThreads", 1, 256);
  check_range("limits", "passwordQueue", 1, 1 << 20);
  check_range("limits", "calloutConcurrent", 1, 1 << 20);
  check_range("limits", "calloutPerAddress", 1, 1 << 20);
  check_range("limits", "calloutPerServer", 1, 1 << 20);
  check_range("limits", "calloutWaiting", 0, 1 << 20);
  check_range("limits", "calloutThreads", 1, 256);
  check_range("limits", "calloutQueue", 1, 1 << 20);
  check_range("limits", "policyQueue", 1, 1 << 20);
  check_range("limits", "disconnectQueue", 1, 1 << 20);
  check_range("limits", "connectionBacklog", 0, 1 << 20);
  check_range("limits", "validationCache", 1, 1 << 24);
  check_range("limits", "jetstreamWaitMs", 0, 3600000);
  check_range("retention", "auditDays", 0, 36500);
  check_range("retention", "auditRows", 0, 1000000000);
  check_range("retention", "reconciliationEventDays", 0, 36500);
}

TEST_CASE("the message about a limit says its range") {
  const auto refused = parse(config_text(R"("limits":{"validationCache":0},)"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().expected == "an integer from 1 to 16777216");
}

TEST_CASE("a limit that is given is the one that holds, and the others keep their defaults") {
  const auto config = parse(config_text(R"("limits":{"validationCache":7},"retention":{"auditDays":3},)"));
  REQUIRE(config);
  CHECK(config->limits.validation_cache == 7);
  CHECK(config->limits.callout_threads == 2);
  CHECK(config->retention.audit_days == 3);
  CHECK(config->retention.audit_rows == 10000000);
}

TEST_CASE("numbers may be written as texts, and nothing is zero") {
  const auto port = [](const std::string &value) { return parse(config_text("\"port\":" + value + ","))->port; };
  CHECK(port("\" 4000 \"") == 4000);
  CHECK(port("\"0x10\"") == 16);
  CHECK(port("\"+5\"") == 5);
  CHECK(port("\"1e3\"") == 1000);
  CHECK(port("null") == 0);
  CHECK(port("\"\"") == 0);
  CHECK(refusal(config_text(R"("port":"Infinity",)")) == "port");
  CHECK(refusal(config_text(R"("port":"1x",)")) == "port");
  CHECK(refusal(config_text(R"("port":"+-1",)")) == "port");
}

TEST_CASE("a secret is given once, inline or as a file beside the configuration") {
  const auto seed = [](const std::string &member) { return parse(config_text("", R"(["wss://n.test"])", member)); };
  CHECK(seed(R"("sessionKeySeed":" s ")")->session_seed.reveal() == "s");
  CHECK(seed(R"("sessionKeySeedFile":"../k")")->session_seed.reveal() == "content of /etc/k");
  CHECK(seed(R"("sessionKeySeed":"s","sessionKeySeedFile":"k")").error().where == "sessionKeySeed");
  CHECK(seed(R"("sessionKeySeed":"  ")").error().where == "sessionKeySeed");
  CHECK(seed(R"("x":1)").error().where == "sessionKeySeed");
}

TEST_CASE("a secret file that others can read is refused, and no message holds a secret") {
  const test::TempDir dir;
  const auto write = [&](const char *name, const std::string &text, std::filesystem::perms mode) {
    std::ofstream(dir / name) << text;
    std::filesystem::permissions(dir / name, mode);
  };
  using std::filesystem::perms;
  write("config.jsonc", config_text("", R"(["wss://n.test"])", R"("sessionKeySeedFile":"seed")"), perms::owner_read);
  write("seed", "hush", perms::owner_read | perms::group_read);
  const auto refused = load_control_plane_config(dir / "config.jsonc");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "secret_file_mode");
  CHECK(refused.error().text().find("hush") == std::string::npos);
  std::filesystem::permissions(dir / "seed", perms::owner_read | perms::owner_write);
  const auto config = load_control_plane_config(dir / "config.jsonc");
  REQUIRE(config);
  CHECK(config->session_seed.reveal() == "hush");
  std::filesystem::remove(dir / "seed");
  CHECK(load_control_plane_config(dir / "config.jsonc").error().code == "unreadable");
  CHECK(load_control_plane_config(dir / "none.jsonc").error().code == "invalid_config");
}

TEST_CASE("loopback names are one, and origins are compared in their canonical form") {
  const auto config = parse(config_text(R"("web":{"origins":["http://127.0.0.1:5173/","http://localhost:5173",
    "https://APP.test"],"publicOrigin":"http://[::1]:3000"},)"));
  REQUIRE(config);
  CHECK(config->origins == std::vector<std::string>{"http://localhost:5173", "https://app.test"});
  CHECK(config->public_origin == "http://localhost:3000");
  CHECK(config->browser_origin() == "http://localhost:3000");
}

TEST_CASE("the native servers are those for clients, else the control plane's own") {
  CHECK(parse(config_text())->native_servers() == std::vector<std::string>{"nats://a:1"});
  ControlPlaneConfig config;
  config.nats_servers = " nats://a:1 ,, b ,";
  CHECK(config.native_servers() == std::vector<std::string>{"nats://a:1", "b"});
  config.client_native_servers = {"tls://c:4222"};
  CHECK(transports_json(config) == R"({"native":{"natsServers":["tls://c:4222"]}})");
}

} // namespace
} // namespace trellis::auth
