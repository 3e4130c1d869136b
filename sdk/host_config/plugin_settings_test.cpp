#include "host_config/plugin_settings.h"

#include "contracts/json.h"
#include "support/temp_dir.h"
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <rapidjson/document.h>
#include <sys/stat.h>

using namespace trellis;
using namespace trellis::host;

namespace {

// A trellis.toml with this in [plugins.billing.config], which is line 1.
struct Settings {
  explicit Settings(const std::string &lines) {
    auto root = parse_config_tree("[plugins.billing.config]\n" + lines, "trellis.toml");
    REQUIRE(root);
    tree = std::make_shared<const ConfigNode>(*root->find("plugins")->find("billing")->find("config"));
  }

  void secret(const std::string &name, const std::string &text, mode_t mode = 0600) const {
    const auto file = folder.path() / name;
    std::ofstream(file) << text;
    REQUIRE(::chmod(file.c_str(), mode) == 0);
  }
  Result<PluginSettings> resolve() const {
    return PluginSettings::resolve({tree, "plugins.billing.config", folder.path() / "trellis.toml"});
  }
  std::string json() const {
    const auto settings = resolve();
    return settings ? settings->json().reveal() : settings.error().code + ": " + settings.error().text();
  }

  test::TempDir folder;
  std::shared_ptr<const ConfigNode> tree;
};

Schema compiled(const std::string &text) {
  const auto document = parse_json(text);
  REQUIRE(document);
  auto schema = Schema::compile(*document);
  REQUIRE(schema);
  return *schema;
}

bool holds(const std::string &text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("settings become JSON in the order of the file") {
  CHECK(Settings("").json() == "{}");
  CHECK(Settings("b = 1\na = [true, 2.5, \"x\\n\"]\n[plugins.billing.config.shelves]\nd = 2026-11-26\n").json() ==
        R"({"b":1,"a":[true,2.5,"x\n"],"shelves":{"d":"2026-11-26"}})");
}

TEST_CASE("a secret comes from a file, without the newline at its end") {
  const Settings settings("db = { password = { secret_file = \"secrets-db\" } }\nlist = [{ secret_file = \"b\" }]\n");
  settings.secret("secrets-db", "pass\"word\n\n");
  settings.secret("b", "two\r\n", 0400);
  CHECK(settings.json() == R"({"db":{"password":"pass\"word\n"},"list":["two"]})");
}

TEST_CASE("a secret comes from the environment as it stands there") {
  const Settings settings("password = { secret_env = \"TRELLIS_TEST_DB_PASSWORD\" }\n");
  ::setenv("TRELLIS_TEST_DB_PASSWORD", "from the environment\n", 1);
  CHECK(settings.json() == R"({"password":"from the environment\n"})");
  ::setenv("TRELLIS_TEST_DB_PASSWORD", "", 1);
  CHECK(settings.json().starts_with("secret_missing: "));
  ::unsetenv("TRELLIS_TEST_DB_PASSWORD");
  const auto missing = settings.resolve();
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == "secret_missing");
  CHECK(missing.error().where == (settings.folder.path() / "trellis.toml").string() + ":2");
  CHECK(holds(missing.error().message, "plugins.billing.config.password"));
  CHECK(holds(missing.error().message, "TRELLIS_TEST_DB_PASSWORD"));
}

TEST_CASE("a file that others may use, of another kind or without a text is refused without being shown") {
  const Settings settings("password = { secret_file = \"s\" }\n");
  CHECK(settings.json().starts_with("secret_missing: "));
  for (const mode_t mode : {0640u, 0604u, 0660u, 0610u}) {
    INFO("mode " << mode);
    settings.secret("s", "hunter2", mode);
    CHECK(settings.json().starts_with("secret_exposed: "));
    CHECK_FALSE(holds(settings.json(), "hunter2"));
  }
  settings.secret("s", "\n");
  CHECK(settings.json().starts_with("secret_missing: "));
  settings.secret("s", "hunter2\xff");
  CHECK(settings.json().starts_with("secret_invalid: "));
  CHECK_FALSE(holds(settings.json(), "hunter2"));
  settings.secret("s", std::string("hun\0ter2", 8));
  CHECK(settings.json().starts_with("secret_invalid: "));
  settings.secret("s", std::string(kMaxSettingsSecret + 1, 'x'));
  CHECK(settings.json().starts_with("secret_invalid: "));
  settings.secret("s", std::string(kMaxSettingsSecret, 'x'));
  CHECK(settings.json().size() > kMaxSettingsSecret);

  std::filesystem::remove(settings.folder.path() / "s");
  REQUIRE(::mkfifo((settings.folder.path() / "s").c_str(), 0600) == 0);
  CHECK(settings.json().starts_with("secret_invalid: ")); // and at once
}

TEST_CASE("a secret is a table with its one key, and never the whole table") {
  const auto wrong_line = [](const std::string &lines) {
    const Settings settings(lines);
    const auto *wrong = wrong_setting(*settings.tree);
    return wrong ? wrong->place.line : 0;
  };
  CHECK(wrong_line("a = 1\nb = { secret_file = \"x\" }\nc = [{ secret_env = \"X\" }]\n") == 0);
  CHECK(wrong_line("a = 1\nb = { secret_file = \"x\", mode = 1 }\n") == 3);
  CHECK(wrong_line("b = { secret_file = \"x\", secret_env = \"X\" }\n") == 2);
  CHECK(wrong_line("b = { secret_file = 1 }\n") == 2);
  CHECK(wrong_line("b = { secret_env = \"\" }\n") == 2);
  CHECK(wrong_line("secret_file = \"x\"\n") == 1);
  CHECK(wrong_line("a = 1\nb = [1.0, nan]\n") == 3);
}

TEST_CASE("what breaks the plugin's schema is named by line and JSON pointer") {
  const auto schema = compiled(R"({"type":"object","required":["shelves"],"additionalProperties":false,
    "properties":{"shelves":{"type":"object","additionalProperties":{"type":"integer","minimum":0}},
                  "tags":{"type":"array","items":{"type":"string"}},"password":{"type":"string","minLength":12}}})");
  const auto problem = [&](const std::string &lines) {
    const Settings settings(lines);
    settings.secret("s", "hunter2");
    const auto checked = settings.resolve().value().check(schema);
    if (checked) return std::string();
    CHECK(checked.error().code == "config_schema");
    CHECK_FALSE(holds(checked.error().text(), "hunter2"));
    const auto line = checked.error().where.substr(checked.error().where.rfind(':') + 1);
    return line + " " + checked.error().message;
  };
  CHECK(problem("shelves = { apple = 3 }\n").empty());
  CHECK(problem("tags = []\n") == "1 plugins.billing.config: must have shelves");
  CHECK(problem("[plugins.billing.config.shelves]\napple = 3\npear = -1\n") ==
        "4 plugins.billing.config /shelves/pear: must be at least 0");
  CHECK(problem("shelves = {}\ntags = [\n\"a\",\n1]\n") == "5 plugins.billing.config /tags/1: must be string");
  CHECK(problem("shelves = {}\nshelfs = 1\n").starts_with("3 plugins.billing.config /shelfs: "));
  CHECK(problem("shelves = {}\npassword = { secret_file = \"s\" }\n") ==
        "3 plugins.billing.config /password: must have at least 12 characters");
}
