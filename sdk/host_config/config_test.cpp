#include "host_config/config.h"
#include "settings/config_depth.h"
#include "settings/config_keys.h"
#include "settings/config_tree.h"

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <iterator>

using namespace trellis;
using namespace trellis::host;

namespace {

// The least that a configuration needs; tests append to it or replace lines of it. 6 lines.
const std::string kLeast = "[host]\n"
                           "state_dir = \"state\"\n"
                           "[nats]\n"
                           "servers = \"nats://127.0.0.1:4222\"\n"
                           "[policy]\n"
                           "file = \"policy.toml\"\n";

Config read(const std::string &text) {
  auto config = parse_config(text, "/etc/trellis/trellis.toml");
  INFO((config ? std::string() : config.error().text()));
  REQUIRE(config);
  return std::move(*config);
}

Error error_of(const std::string &text) {
  auto config = parse_config(text, "t.toml");
  REQUIRE_FALSE(config);
  return config.error();
}

// Code, place and message of the error in a file that has `lines` after kLeast.
std::string problem(const std::string &lines) {
  const auto error = error_of(kLeast + lines);
  return error.code + " " + error.text();
}

std::string file_text(const std::string &path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string json_of(const PluginConfig &plugin) {
  const auto settings = PluginSettings::resolve(plugin.config);
  return settings ? settings->json().reveal() : settings.error().text();
}

constexpr auto kSigner = "RWQBAgMEBQYHCAECAwQFBgcIAQIDBAUGBwgBAgMEBQYHCAECAwQFBgcI";
constexpr auto kOther = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

// [trust.keys.NAME] with a key and these lines.
std::string signer_table(const std::string &name, const std::string &key, const std::string &lines = {}) {
  return "[trust.keys." + name + "]\nkey = \"" + key + "\"\n" + lines;
}

} // namespace

TEST_CASE("a small file gets every default") {
  const auto config = read(kLeast);
  CHECK(config.name == "trellis-host");
  CHECK(config.state_dir == "/etc/trellis/state");
  CHECK(config.policy.file == "/etc/trellis/policy.toml");
  CHECK(config.nats_servers == std::vector<std::string>{"nats://127.0.0.1:4222"});
  CHECK(config.log_format == Log::Format::json);
  CHECK(config.log_level == LogLevel::info);
  CHECK(config.max_generations == 8);
  CHECK(config.drain.count() == 10000);
  CHECK(config.connect_retry_max.count() == 5000);
  CHECK(config.start_retry_max.count() == 30000);
  CHECK(config.control_connections_max == 16);
  CHECK(config.control_timeout.count() == 10000);
  CHECK(config.trust.signers.empty());
  CHECK_FALSE(config.trust.require_signature);
  CHECK(config.plugins.empty());
}

TEST_CASE("every key is read") {
  const std::string pin(64, 'a');
  const auto config = read("[host]\nname = \"edge-7\"\nstate_dir = \"/var/lib/trellis\"\nlog = \"console\"\n"
                           "log_level = \"debug\"\nmax_generations = 3\ndrain_ms = 250\nconnect_retry_max_ms = "
                           "700\nstart_retry_max_ms = 900\ncontrol_connections_max = 2\ncontrol_timeout_ms = 800\n"
                           "[nats]\nservers = [\"nats://a\", \"nats://b,nats://c\"]\n"
                           "[policy]\nmode = \"static\"\nfile = \"/p.toml\"\n"
                           "[trust]\nsigners = [\"RWQBAgMEBQYHCAECAwQFBgcIAQIDBAUGBwgBAgMEBQYHCAECAwQFBgcI\"]\n"
                           "[plugins.second]\npath = \"b.so\"\nenabled = false\n"
                           "[plugins.first]\npath = \"../a.so\"\nsha256 = \"" +
                           pin +
                           "\"\nqueue = 5\nmax_concurrency = 2\n"
                           "deadline_ms = 900\nmax_abandoned = 4\n");
  CHECK(config.name == "edge-7");
  CHECK(config.state_dir == "/var/lib/trellis");
  CHECK(config.log_format == Log::Format::console);
  CHECK(config.log_level == LogLevel::debug);
  CHECK(config.max_generations == 3);
  CHECK(config.drain.count() == 250);
  CHECK(config.connect_retry_max.count() == 700);
  CHECK(config.start_retry_max.count() == 900);
  CHECK(config.control_connections_max == 2);
  CHECK(config.control_timeout.count() == 800);
  CHECK(config.nats_servers == std::vector<std::string>{"nats://a", "nats://b", "nats://c"});
  CHECK(config.policy.file == "/p.toml");
  CHECK(config.trust.signers.size() == 1);
  REQUIRE(config.plugins.size() == 2);
  CHECK(config.plugins[0].name == "second");
  CHECK_FALSE(config.plugins[0].enabled);
  CHECK(config.plugins[0].where == "/etc/trellis/trellis.toml:19");
  const auto &first = config.plugins[1];
  CHECK(first.name == "first");
  CHECK(first.path == "/etc/a.so");
  CHECK(first.sha256 == pin);
  CHECK(first.enabled);
  CHECK(first.limits.queue == 5);
  CHECK(first.limits.max_concurrency == 2);
  CHECK(first.limits.deadline.count() == 900);
  CHECK(first.limits.max_abandoned == 4);
  CHECK(first.approve == Approval::contract);
  CHECK(json_of(first) == "{}");
}

TEST_CASE("a plugin's own table becomes JSON") {
  const auto config =
      read(kLeast + "[plugins.p]\npath = \"p.so\"\n"
                    "[plugins.p.config]\nzeta = 1\nalpha = [1.5, \"x\", true, {k = -9223372036854775808}]\n"
                    "day = 2024-02-29\nat = 2024-02-29T12:30:00.5Z\nlocal = 07:32:00\n"
                    "[plugins.p.config.deep.er]\n\"with space\" = \"\\u0001\"\n");
  REQUIRE(config.plugins.size() == 1);
  CHECK(json_of(config.plugins[0]) ==
        R"({"zeta":1,"alpha":[1.5,"x",true,{"k":-9223372036854775808}],"day":"2024-02-29",)"
        R"("at":"2024-02-29T12:30:00.5Z","local":"07:32:00","deep":{"er":{"with space":"\u0001"}}})");
}

TEST_CASE("a plugin's table may come before the plugin") {
  const auto config =
      read("[plugins.b.config]\nx = 1\n" + kLeast + "[plugins.a]\npath = \"a.so\"\n[plugins.b]\npath = \"b.so\"\n");
  REQUIRE(config.plugins.size() == 2);
  CHECK(config.plugins[0].name == "b");
  CHECK(json_of(config.plugins[0]) == R"({"x":1})");
}

TEST_CASE("numbers that JSON lacks are refused in a plugin's table") {
  CHECK(
      problem("[plugins.p]\npath = \"p.so\"\n[plugins.p.config]\na = [1, nan]\n") ==
      "config_value t.toml:10: an item of plugins.p.config is the number nan (expected a table of values that JSON has "
      "(no nan, no inf); `{ secret_file = PATH }` and `{ secret_env = NAME }`)");
  CHECK(problem("[plugins.p]\npath = \"p.so\"\n[plugins.p.config.x]\na = -inf\n")
            .starts_with("config_value t.toml:10: "));
}

TEST_CASE("an unknown key is an error with a suggestion") {
  CHECK(
      problem("[plugins.p]\npath = \"p.so\"\nquue = 3\n")
          .starts_with("config_unknown_key t.toml:9: unknown key plugins.p.quue, did you mean queue? (expected one of "
                       "connections, path, sha256, "));
  CHECK(problem("[trsut]\nsigners = []\n")
            .starts_with("config_unknown_key t.toml:7: unknown key trsut, did you mean trust?"));
  CHECK(problem("[trust]\nxyzzy = 1\n") ==
        "config_unknown_key t.toml:8: unknown key trust.xyzzy (expected one of keys, signers, require_signature)");
  CHECK(problem("[trust]\n\"a\\nb\" = 1\n").starts_with("config_unknown_key t.toml:8: unknown key trust.\"a b\""));
}

TEST_CASE("a value out of range or of another type says what was found and what was expected") {
  const std::string plugin = "[plugins.p]\npath = \"p.so\"\n";
  CHECK(problem(plugin + "queue = 0\n") ==
        "config_value t.toml:9: plugins.p.queue is the number 0 (expected an integer from 1 to 65536)");
  CHECK(problem(plugin + "queue = 65537\n").find("is the number 65537") != std::string::npos);
  CHECK(problem(plugin + "deadline_ms = \"10s\"\n") ==
        "config_value t.toml:9: plugins.p.deadline_ms is the text \"10s\" (expected milliseconds from 1 to 3600000)");
  CHECK(problem(plugin + "max_concurrency = 1.5\n").find("is the number 1.5") != std::string::npos);
  CHECK(problem(plugin + "enabled = 1\n").find("(expected true or false)") != std::string::npos);
  CHECK(problem(plugin + "sha256 = \"ABC\"\n").find("(expected 64 lower-case hex digits)") != std::string::npos);
  CHECK(problem(plugin + "config = 3\n").find("plugins.p.config is the number 3") != std::string::npos);
  CHECK(problem("[plugins]\np = 3\n").find("plugins.p is the number 3") != std::string::npos);
  CHECK(problem("[[plugins]]\n").find("plugins is a list (expected a table)") != std::string::npos);
  CHECK(problem("[plugins.\"a b\"]\npath = \"x\"\n").find("plugins.\"a b\" is no name of a plugin") !=
        std::string::npos);
  CHECK(problem("[trust]\nsigners = [\"RWQ\"]\n")
            .starts_with("config_value t.toml:8: an item of trust.signers is the text"));
}

TEST_CASE("a choice lists what can be chosen") {
  const auto error =
      error_of("[host]\nlog = \"xml\"\nstate_dir = \"s\"\n[nats]\nservers = \"x\"\n[policy]\nfile = \"p\"\n");
  CHECK(error.text() == "t.toml:2: host.log is the text \"xml\" (expected \"json\" or \"console\")");
}

TEST_CASE("servers need at least one URL") {
  const auto with = [](const std::string &servers) {
    return "[host]\nstate_dir = \"s\"\n[policy]\nfile = \"p\"\n[nats]\nservers = " + servers + "\n";
  };
  CHECK(error_of(with("[]")).code == "config_value");
  CHECK(error_of(with("\"\"")).code == "config_value");
  CHECK(error_of(with("\"nats://a,,b\"")).code == "config_value");
  CHECK(error_of(with("[\"nats://a\", 3]")).code == "config_value");
}

TEST_CASE("a secret in the wrong place isn't repeated") {
  const auto servers = [](const std::string &value) {
    return error_of("[host]\nstate_dir = \"s\"\n[policy]\nfile = \"p\"\n[nats]\nservers = " + value + "\n").text();
  };
  CHECK(servers("\"nats://ann:hunter2@a, nats://bob:hunter2@b\"") ==
        "t.toml:6: nats.servers is the text \"[redacted]@b\" (expected a NATS URL or a list of them)");
  CHECK(servers("[\"ann:hunter2@a b\"]").find("hunter2") == std::string::npos);
  CHECK(servers("\"nats://hunter2@a,\"").find("hunter2") == std::string::npos);
  for (const char *number : {"123456789012345678901234567890", "1e999999"}) {
    INFO(number);
    const auto text = problem("[plugins.p.config]\npassword = " + std::string(number) + "\n");
    CHECK(text.starts_with("config_syntax t.toml:8: "));
    CHECK(text.find(number) == std::string::npos);
  }
}

TEST_CASE("what is missing is named") {
  CHECK(error_of("").text() == "t.toml:1: host.state_dir is missing (expected a path)");
  CHECK(problem("\n[plugins.p]\nqueue = 1\n") ==
        "config_missing t.toml:8: plugins.p.path is missing (expected a path)");
}

TEST_CASE("of several mistakes the first in the file is reported") {
  const auto error = error_of("[plugins.p]\nqueue = 0\n[host]\nlog = 1\nnmae = 2\n[trust]\nx = 1\n");
  CHECK(error.where == "t.toml:1"); // plugins.p.path is missing
  CHECK(error_of("[plugins.p]\npath = \"x\"\nqueue = 0\n[host]\nlog = 1\n").where == "t.toml:3");
}

TEST_CASE("a syntax error has its line") {
  CHECK(problem("[plugins.p]\npath = \n").starts_with("config_syntax t.toml:8: "));
  CHECK(problem("[plugins.p]\npath = \"a\"\n[plugins.p]\npath = \"b\"\n").starts_with("config_syntax t.toml:9: "));
}

TEST_CASE("a key with very many parts is refused, before it takes up the stack") {
  std::string deep = "a";
  for (int i = 0; i < 300'000; ++i)
    deep += ".a";
  for (const auto &line : {deep + " = 1", "[" + deep + "]", "[[" + deep + "]]", "b = { " + deep + " = 1 }",
                           R"(b = { c = """x"""", )" + deep + " = 1 }"}) {
    const auto error = error_of("# first\n" + line + "\n");
    CHECK(error.text() == "t.toml:2: a key has too many parts (expected at most 64)");
  }

  std::string most = "k";
  for (std::size_t i = 1; i < kMaxConfigKeyParts; ++i)
    most += R"(."k.k")";
  CHECK(line_of_deep_key(most + " = 1", kMaxConfigKeyParts) == 0);
  CHECK(line_of_deep_key("x = 1\n" + most + ".k = 1", kMaxConfigKeyParts) == 2);
  CHECK(line_of_deep_key("x = '''\n\n'''\n" + most + ".k = 1", kMaxConfigKeyParts) == 4);
}

TEST_CASE("dots outside of keys don't count as parts of one") {
  const std::string dots(100, '.');
  for (const auto &text : {"x = \"" + dots + "\"", "x = '" + dots + "'", "# " + dots, "x = \"\\\"" + dots + "\"",
                           "x = '''\n'" + dots + "'''", "x = \"\"\"\n\"" + dots + "\"\"\"\""})
    CHECK(line_of_deep_key(text, kMaxConfigKeyParts) == 0);
  std::string numbers = "x = [0.5";
  for (int i = 0; i < 100; ++i)
    numbers += ", 0.5";
  CHECK(line_of_deep_key(numbers + "]", kMaxConfigKeyParts) == 0);
}

TEST_CASE("a file that is too large or not there is refused") {
  CHECK(error_of(std::string(kMaxConfigBytes + 1, '#')).code == "config_too_large");
  const auto missing = load_config("/nonexistent/trellis.toml");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == "config_unreadable");
  const auto folder = load_config("/");
  REQUIRE_FALSE(folder);
  CHECK(folder.error().code == "config_unreadable");
}

TEST_CASE("suggestions come only for names that are close") {
  const std::vector<std::string> names{"queue", "path", "enabled"};
  CHECK(closest_name("quue", names) == "queue");
  CHECK(closest_name("eueuq", names).empty());
  CHECK(closest_name("enbaled", names) == "enabled");
  CHECK(closest_name("pth", names) == "path");
  CHECK(closest_name("x", names).empty());
  CHECK(closest_name("", names).empty());
  CHECK(closest_name(std::string(100000, 'q'), names).empty());
}

namespace {

const std::string kConnections = "[plugins.auth.connections]\nauth = \"creds/auth\"\nsystem = \"/s\"\n"
                                 "trellis = \"creds/t\"\nsession_seed = \"seed\"\n";
const std::string kControlPlane = "[plugins.auth]\npath = \"auth.so\"\nrole = \"control-plane\"\n" + kConnections;

// kLeast with another policy table.
std::string with_policy(const std::string &policy, const std::string &lines = "") {
  return "[host]\nstate_dir = \"state\"\n[nats]\nservers = \"nats://127.0.0.1:4222\"\n[policy]\n" + policy + lines;
}

} // namespace

TEST_CASE("the control plane's table names its role and its files") {
  const auto config = read(with_policy("mode = \"plugin\"\n", kControlPlane + "[plugins.echo]\npath = \"e.so\"\n"));
  CHECK(config.policy.mode == PolicyConfig::Mode::plugin);
  REQUIRE(config.control_plane());
  CHECK(config.control_plane()->name == "auth");
  REQUIRE(config.control_plane()->connections);
  CHECK(config.control_plane()->connections->auth == "/etc/trellis/creds/auth");
  CHECK(config.control_plane()->connections->system == "/s");
  CHECK(config.control_plane()->connections->trellis == "/etc/trellis/creds/t");
  CHECK(config.control_plane()->connections->session_seed == "/etc/trellis/seed");
  CHECK(config.plugins[1].role == PluginRole::service);
  CHECK_FALSE(config.plugins[1].connections);
}

TEST_CASE("connections belong to the control plane, and to it alone") {
  CHECK(problem("[plugins.auth]\npath = \"a.so\"\n" + kConnections) ==
        "config_value t.toml:9: plugins.auth.connections is for the control plane (expected role = \"control-plane\")");
  CHECK(problem("[plugins.auth]\npath = \"a.so\"\nrole = \"control-plane\"\n") ==
        "config_missing t.toml:7: plugins.auth.connections is missing (expected a table [plugins.auth.connections])");
  CHECK(problem("[plugins.auth]\npath = \"a.so\"\nrole = \"control-plane\"\n[plugins.auth.connections]\n"
                "auth = \"a\"\nsystem = \"s\"\ntrellis = \"t\"\n") ==
        "config_missing t.toml:10: plugins.auth.connections.session_seed is missing (expected a path)");
}

TEST_CASE("there is one control plane") {
  auto second = kControlPlane;
  for (auto at = second.find("plugins.auth"); at != std::string::npos; at = second.find("plugins.auth"))
    second.replace(at, 12, "plugins.more");
  CHECK(problem(kControlPlane + second) ==
        "config_value t.toml:15: plugins.more is a second control plane (expected at most one)");
}

TEST_CASE("a plugin is an instance of its own deployment unless it says another") {
  const auto config = read(kLeast + "[plugins.a]\npath = \"a\"\n[plugins.b]\npath = \"b\"\ndeployment = \"shop.eu\"\n");
  CHECK(config.plugins[0].deployment == "a");
  CHECK(config.plugins[1].deployment == "shop.eu");
}

TEST_CASE("each mode of policy has its own keys") {
  CHECK(error_of(with_policy("mode = \"static\"\n")).text().find("policy.file is missing") != std::string::npos);
  CHECK(error_of(with_policy("mode = \"remote\"\n")).text().find("policy.url is missing") != std::string::npos);
  CHECK(error_of(with_policy("mode = \"plugin\"\n")).text().find("no plugin is the control plane") !=
        std::string::npos);
  CHECK(error_of(with_policy("mode = \"remote\"\nurl = \"https://a\"\nfile = \"p\"\n"))
            .text()
            .find("for mode \"static\"") != std::string::npos);
  CHECK(error_of(with_policy("file = \"p\"\nurl = \"https://a\"\n")).text().find("for mode \"remote\"") !=
        std::string::npos);
  const auto remote = read(with_policy("mode = \"remote\"\nurl = \"https://trellis.example\"\njwt_life_s = 90\n"));
  CHECK(remote.policy.mode == PolicyConfig::Mode::remote);
  CHECK(remote.policy.url == "https://trellis.example");
  CHECK(remote.policy.remote_jwt_life.count() == 90);
}

TEST_CASE("a remote control plane is asked over TLS, except on this machine") {
  const auto with_url = [](const std::string &url) {
    return parse_config(with_policy("mode = \"remote\"\nurl = \"" + url + "\"\n"), "t.toml").has_value();
  };
  CHECK(with_url("https://trellis.example:8443/"));
  CHECK(with_url("http://127.0.0.1:3000"));
  CHECK(with_url("http://localhost"));
  CHECK(with_url("http://[::1]:3000/"));
  CHECK_FALSE(with_url("http://trellis.example"));
  CHECK_FALSE(with_url("http://127.0.0.1.evil.example"));
  CHECK_FALSE(with_url("https://"));
  CHECK_FALSE(with_url("https://a b"));
}

TEST_CASE("signers have names, times and an end") {
  const auto config = read(kLeast + "[trust]\nrequire_signature = true\n" +
                           signer_table("build-2026", kSigner,
                                        "not_before = 2026-01-01T00:00:00Z\n"
                                        "not_after = 2027-01-31T01:00:00+01:00\n") +
                           signer_table("build-2027", kOther, "revoked = true\n") +
                           "[plugins.p]\npath = \"p.so\"\nsigners = [\"build-2026\", \"build-2027\"]\n"
                           "approve = \"artifact\"\n");
  CHECK(config.trust.require_signature);
  REQUIRE(config.trust.signers.size() == 2);
  const auto &first = config.trust.signers[0];
  CHECK(first.name == "build-2026");
  CHECK(first.key.text == kSigner);
  CHECK(first.not_before == 1'767'225'600);
  CHECK(first.not_after == 1'801'353'600);
  CHECK_FALSE(first.revoked);
  CHECK(config.trust.signers[1].revoked);
  CHECK_FALSE(config.trust.signers[1].not_after);
  CHECK(config.plugins[0].signers == std::vector<std::string>{"build-2026", "build-2027"});
  CHECK(config.plugins[0].approve == Approval::artifact);
}

TEST_CASE("mistakes about signers are named") {
  const auto is = [](const std::string &lines, const std::string &start) { return problem(lines).starts_with(start); };
  const auto a = signer_table("a", kSigner); // lines 7 and 8
  CHECK(is("[trust.keys.a]\nrevoked = true\n", "config_missing t.toml:7: trust.keys.a.key is missing"));
  CHECK(is(signer_table("a", "RWQ"), "config_value t.toml:8: trust.keys.a.key is the text \"RWQ\""));
  CHECK(is(a + "not_after = 2027-01-31\n",
           "config_value t.toml:9: trust.keys.a.not_after is the date 2027-01-31")); // whose midnight?
  CHECK(is(a + "not_after = \"2027-01-31T00:00:00Z\"\n", "config_value t.toml:9: "));
  CHECK(is(a + "not_before = 2027-01-01T00:00:00Z\nnot_after = 2026-01-01T00:00:00Z\n",
           "config_value t.toml:7: trust.keys.a ends before it begins"));
  CHECK(is(a + signer_table("b", kSigner), "config_value t.toml:9: trust.keys.b is the same key as a"));
  CHECK(is(std::string("[trust]\nsigners = [\"") + kSigner + "\"]\n" + a,
           "config_value t.toml:9: trust.keys.a is the same key as "));
  CHECK(is("[plugins.p]\npath = \"p.so\"\nsigners = [\"buidl\"]\n" + signer_table("build", kSigner),
           "config_value t.toml:9: plugins.p.signers: there is no [trust.keys.buidl], did you mean build?"));
}

TEST_CASE("an approval of one file needs somebody who sees the file") {
  const std::string plugin = "[plugins.p]\npath = \"p.so\"\napprove = \"artifact\"\n";
  const auto remote =
      parse_config(with_policy("mode = \"remote\"\nurl = \"https://trellis.example\"\n") + plugin, "t.toml");
  REQUIRE_FALSE(remote);
  CHECK(remote.error().code == "config_value");
  CHECK(remote.error().message.find("plugins.p.approve: a control plane elsewhere can't see") != std::string::npos);
  CHECK(parse_config(kLeast + plugin, "t.toml"));
}

TEST_CASE("a secret in a plugin's table is read when the plugin is, not with trellis.toml") {
  const auto config = read(kLeast + "[plugins.p]\npath = \"p.so\"\n[plugins.p.config]\n"
                                    "password = { secret_file = \"no/such/file\" }\n");
  CHECK(config.plugins[0].config_json() == "{}");
  CHECK(json_of(config.plugins[0]).find("/etc/trellis/trellis.toml:10") != std::string::npos);
  CHECK(problem("[plugins.p]\npath = \"p.so\"\n[plugins.p.config]\n"
                "password = { secret_file = \"x\", mode = 1 }\n")
            .starts_with("config_value t.toml:10: an item of plugins.p.config is a table"));
}

TEST_CASE("docs/config.md describes every key as the code does") {
  const auto docs = file_text(TRELLIS_SOURCE_ROOT "/docs/config.md");
  const auto described = config_markdown();
  INFO("docs/config.md has to hold this:\n" << described);
  CHECK(docs.find(described) != std::string::npos);
}

TEST_CASE("a text that trips an assertion of toml++ is a syntax error like any other") {
  for (const char *text : {"[/", "[a./]", "[[/]]", "a./ = 1", "\uFE7F", "0\u0400", "\u00E9"}) {
    INFO(text);
    const auto config = parse_config(text, "t.toml");
    REQUIRE(!config);
    CHECK(config.error().code == "config_syntax");
    CHECK(config.error().where == "t.toml:1");
  }
}
