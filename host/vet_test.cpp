#include "artifact/elf_testing.h"
#include "host_slot.h"

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <functional>

using namespace trellis;
using namespace trellis::host;
using namespace trellis::testing;

namespace {

std::string contract(const std::string &id, const std::string &more = "") {
  return R"({"format":"trellis.contract.v1","id":")" + id +
         R"(","displayName":"A","description":"For tests.","kind":"service")" + more + "}";
}

// A plugin file with this contract section, pinned.
PluginConfig pinned(const TemporaryFolder &folder, const std::string &section) {
  const auto bytes = embed_contract(read_file(testdata_path("no_contract")), section);
  REQUIRE(bytes);
  PluginConfig plugin;
  plugin.name = "p";
  plugin.path = folder.write("p.so", *bytes);
  plugin.sha256 = hex(sha256(*bytes));
  return plugin;
}

const std::string kTwo = "[" + contract("acme.a@v1") + "," + contract("acme.b@v1") + "]";

} // namespace

TEST_CASE("several contracts in one file are for the control plane alone") {
  const TemporaryFolder folder;
  auto plugin = pinned(folder, kTwo);
  const auto refused = vet_plugin(plugin, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "contract_array");
  plugin.role = PluginRole::control_plane;
  const auto vetted = vet_plugin(plugin, {});
  REQUIRE(vetted);
  CHECK(vetted->artifact->manifests().size() == 2);
}

TEST_CASE("an array of one contract is an array") {
  const TemporaryFolder folder;
  const auto refused = vet_plugin(pinned(folder, "[" + contract("acme.a@v1") + "]"), {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "contract_array");
}

TEST_CASE("the control plane has to be pinned or signed like any plugin") {
  const TemporaryFolder folder;
  auto plugin = pinned(folder, kTwo);
  plugin.role = PluginRole::control_plane;
  plugin.sha256.clear();
  const auto refused = vet_plugin(plugin, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "untrusted");
}

TEST_CASE("--check says which file of the control plane is missing") {
  const TemporaryFolder folder;
  Config config;
  config.file = folder.path() / "trellis.toml";
  config.policy.mode = PolicyConfig::Mode::plugin;
  config.plugins.push_back(pinned(folder, kTwo));
  config.plugins[0].role = PluginRole::control_plane;
  config.plugins[0].connections =
      ConnectionFiles{folder.path() / "a", folder.path() / "s", folder.path() / "t", folder.path() / "seed"};
  const auto lines = check_config(config);
  REQUIRE(lines);
  REQUIRE(lines->size() == 1);
  CHECK_FALSE(lines->front().ok);
  CHECK(lines->front().text.find((folder.path() / "a").string()) != std::string::npos);
}

TEST_CASE("a contract id of the platform is for the control plane alone") {
  const TemporaryFolder folder;
  auto plugin = pinned(folder, contract("trellis.billing@v1"));
  const auto refused = vet_plugin(plugin, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "contract_id_reserved");
  CHECK(refused.error().where == plugin.path.string());
  plugin.role = PluginRole::control_plane;
  CHECK(vet_plugin(plugin, {}));
}

TEST_CASE("settings are filled in and checked with the file, and a broken one names its line") {
  const TemporaryFolder folder;
  auto plugin = pinned(folder, contract("acme.a@v1"));
  const auto bytes = embed_config_schema(read_file(plugin.path.string()),
                                         R"({"properties":{"password":{"type":"string","minLength":8}}})");
  REQUIRE(bytes);
  folder.write("p.so", *bytes);
  plugin.sha256 = hex(sha256(*bytes));
  const auto tree = parse_config_tree("[config]\npassword = { secret_file = \"s\" }\n", "trellis.toml");
  REQUIRE(tree);
  plugin.config = {std::make_shared<const ConfigNode>(*tree->find("config")), "plugins.p.config",
                   folder.path() / "trellis.toml"};
  CHECK(vet_plugin(plugin, {}).error().code == "secret_missing");
  const auto secret = folder.write("s", as_bytes("short\n"));
  std::filesystem::permissions(secret, std::filesystem::perms::owner_read);
  const auto refused = vet_plugin(plugin, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "config_schema");
  CHECK(refused.error().where == (folder.path() / "trellis.toml").string() + ":2");
  std::filesystem::remove(secret);
  std::filesystem::permissions(folder.write("s", as_bytes("long enough\n")), std::filesystem::perms::owner_read);
  const auto vetted = vet_plugin(plugin, {});
  REQUIRE(vetted);
  CHECK(vetted->settings->json().reveal() == R"({"password":"long enough"})");
}

TEST_CASE("--check says what is held against a plugin") {
  const TemporaryFolder folder;
  Config config;
  config.policy.mode = PolicyConfig::Mode::remote;
  config.plugins.push_back(pinned(folder, contract("acme.a@v1")));
  const auto text = check_config(config)->front().text;
  CHECK(text.find("; pinned; settings unchecked)") != std::string::npos);
}

TEST_CASE("a plugin whose limits changed isn't the same one, whichever limit it is") {
  const PluginConfig before;
  const auto is_same_after = [&](const std::function<void(PluginConfig &)> &change) {
    PluginConfig after = before;
    change(after);
    return same_plugin(before, after);
  };
  CHECK(is_same_after([](PluginConfig &) {}));
  CHECK_FALSE(is_same_after([](PluginConfig &plugin) { plugin.limits.queue = 1; }));
  CHECK_FALSE(is_same_after([](PluginConfig &plugin) { plugin.limits.max_concurrency = 1; }));
  CHECK_FALSE(is_same_after([](PluginConfig &plugin) { plugin.limits.deadline = std::chrono::milliseconds(1); }));
  CHECK_FALSE(is_same_after([](PluginConfig &plugin) { plugin.limits.max_abandoned = 1; }));
  CHECK_FALSE(is_same_after([](PluginConfig &plugin) { plugin.feed_limits.max_streams = 1; }));
  CHECK_FALSE(is_same_after([](PluginConfig &plugin) { plugin.feed_limits.max_streams_per_caller = 1; }));
  CHECK_FALSE(
      is_same_after([](PluginConfig &plugin) { plugin.feed_limits.check_interval = std::chrono::milliseconds(1); }));
}
