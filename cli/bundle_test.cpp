#include "bundle.h"
#include "contracts/json.h"
#include "host_config/config.h"
#include "policy/policy.h"
#include "tests/support/temp_dir.h"
#include "wire/credentials.h"
#include "wire/jwt.h"
#include "wire/session_key.h"
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <rapidjson/document.h>
#include <sys/stat.h>

using namespace trellis;
using namespace trellis::cli;
using trellis::test::read_file;
using trellis::test::TempDir;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kNow = 1760000000;

Bundle bundle_of(const BundleOptions &options) {
  auto bundle = make_bundle(options, kNow);
  REQUIRE(bundle);
  return std::move(*bundle);
}

Bundle default_bundle() {
  BundleOptions options;
  options.dir = "/srv/trellis";
  return bundle_of(options);
}

const std::string &content(const Bundle &bundle, const std::string &path) {
  const auto found = bundle.files.find(path);
  INFO(path);
  REQUIRE(found != bundle.files.end());
  return found->second.content.reveal();
}

JsonDocument json_of(std::string_view text) {
  auto document = parse_json(text);
  REQUIRE(document);
  return std::move(*document);
}

std::string at(const JsonValue &value, std::initializer_list<const char *> path) {
  const JsonValue *found = &value;
  for (const char *name : path) {
    found = find_member(*found, name);
    INFO(name);
    REQUIRE(found);
  }
  return found->IsString() ? std::string(text_of(*found)) : to_json(*found);
}

std::string in_manifest(const Bundle &bundle, std::initializer_list<const char *> path) {
  return at(json_of(bundle.manifest_json), path);
}

DecodedJwt account_jwt(const Bundle &bundle, const char *role) {
  const std::string key = in_manifest(bundle, {"nats", "accounts", role, "publicKey"});
  auto decoded = decode_jwt(content(bundle, "nats/data/jwt/" + key + ".jwt"));
  REQUIRE(decoded);
  return std::move(*decoded);
}

DecodedJwt user_jwt(const Bundle &bundle, const std::string &file) {
  auto credentials = parse_credentials(content(bundle, "nats/creds/" + file));
  REQUIRE(credentials);
  auto decoded = decode_jwt(credentials->jwt);
  REQUIRE(decoded);
  CHECK(decoded->subject == credentials->seed.public_text());
  return std::move(*decoded);
}

std::string public_of_seed(const Bundle &bundle, const std::string &path) {
  std::string text = content(bundle, path);
  REQUIRE(text.ends_with('\n'));
  text.pop_back();
  auto seed = NkeySeed::parse(text);
  REQUIRE(seed);
  return seed->public_text();
}

unsigned mode_of(const fs::path &path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777u;
}

Error error_of(BundleOptions options) {
  if (options.dir.empty()) options.dir = "/srv/trellis";
  const auto bundle = make_bundle(options, kNow);
  REQUIRE_FALSE(bundle);
  return bundle.error();
}

} // namespace

TEST_CASE("The operator signs itself and the three accounts") {
  const Bundle bundle = default_bundle();
  const std::string operator_key = public_of_seed(bundle, "nats/secrets/operator.seed");
  for (const char *role : {"system", "auth", "trellis"}) {
    INFO(role);
    const DecodedJwt account = account_jwt(bundle, role);
    CHECK(account.issuer == operator_key);
    CHECK(account.issued_at == kNow);
    CHECK(account.subject == public_of_seed(bundle, "nats/secrets/" + std::string(role) + "-account.seed"));
  }
  CHECK(content(bundle, "nats/jwt.conf").starts_with("operator: ey"));
}

TEST_CASE("The AUTH account calls out for every user but its own, and only into TRELLIS") {
  const Bundle bundle = default_bundle();
  const DecodedJwt account = account_jwt(bundle, "auth");
  const std::string user = in_manifest(bundle, {"nats", "users", "authService", "publicKey"});
  const std::string trellis = in_manifest(bundle, {"nats", "accounts", "trellis", "publicKey"});
  CHECK(at(account.claims, {"nats", "authorization", "auth_users"}) == "[\"" + user + "\"]");
  CHECK(at(account.claims, {"nats", "authorization", "allowed_accounts"}) == "[\"" + trellis + "\"]");
  CHECK(at(account.claims, {"nats", "authorization", "xkey"}) == public_of_seed(bundle, "nats/secrets/auth-sx.seed"));
  CHECK(at(account.claims, {"nats", "signing_keys"}) ==
        "[\"" + public_of_seed(bundle, "nats/secrets/auth-issuer-signing.seed") + "\"]");
}

TEST_CASE("The TRELLIS account has JetStream, its own signing key and no callout") {
  const Bundle bundle = default_bundle();
  const DecodedJwt account = account_jwt(bundle, "trellis");
  CHECK(at(account.claims, {"nats", "signing_keys"}) ==
        "[\"" + public_of_seed(bundle, "nats/secrets/auth-target-signing.seed") + "\"]");
  CHECK(at(account.claims, {"nats", "limits", "disk_storage"}) == "-1");
  const JsonValue *authorization = find_member(*find_member(account.claims, "nats"), "authorization");
  CHECK((!authorization || !find_member(*authorization, "auth_users")));
}

TEST_CASE("Users are signed by the identity key of their account") {
  const Bundle bundle = default_bundle();
  CHECK(user_jwt(bundle, "system.creds").issuer == public_of_seed(bundle, "nats/secrets/system-account.seed"));
  CHECK(user_jwt(bundle, "auth-auth.creds").issuer == public_of_seed(bundle, "nats/secrets/auth-account.seed"));
  CHECK(user_jwt(bundle, "trellis-auth.creds").issuer == public_of_seed(bundle, "nats/secrets/trellis-account.seed"));
  CHECK(user_jwt(bundle, "sentinel.creds").issuer == public_of_seed(bundle, "nats/secrets/auth-account.seed"));
}

TEST_CASE("The sentinel is denied everything") {
  const Bundle bundle = default_bundle();
  const DecodedJwt sentinel = user_jwt(bundle, "sentinel.creds");
  CHECK(at(sentinel.claims, {"nats", "pub", "deny"}) == "[\">\"]");
  CHECK(at(sentinel.claims, {"nats", "sub", "deny"}) == "[\">\"]");
}

TEST_CASE("Each bundle has its own keys") {
  const Bundle first = default_bundle();
  const Bundle second = default_bundle();
  CHECK(content(first, "nats/secrets/operator.seed") != content(second, "nats/secrets/operator.seed"));
  CHECK(content(first, "trellis/session.seed") != content(second, "trellis/session.seed"));
}

TEST_CASE("JetStream syncs before it acknowledges") {
  const std::string conf = content(default_bundle(), "nats/nats.conf");
  CHECK(conf.find("jetstream { store_dir: \"/srv/trellis/nats/data\", sync_interval: \"always\" }") !=
        std::string::npos);
}

TEST_CASE("A native bundle listens on loopback, on the ports of its URLs") {
  BundleOptions options;
  options.dir = "/srv/trellis";
  options.nats_url = "nats://localhost:14222";
  options.websocket_url = "ws://[::1]:18080/";
  options.monitor_port = 0;
  const std::string conf = content(bundle_of(options), "nats/nats.conf");
  CHECK(conf.find("listen: \"127.0.0.1:14222\"") != std::string::npos);
  CHECK(conf.find("websocket { listen: \"127.0.0.1:18080\", no_tls: true }") != std::string::npos);
  CHECK(conf.find("http:") == std::string::npos);
}

TEST_CASE("A bundle for a container listens everywhere and stores in /data") {
  BundleOptions options;
  options.dir = "/srv/trellis";
  options.native = false;
  const Bundle bundle = bundle_of(options);
  CHECK(content(bundle, "nats/nats.conf").find("listen: \"0.0.0.0:4222\"") != std::string::npos);
  CHECK(content(bundle, "nats/nats.conf").find("store_dir: \"/data\"") != std::string::npos);
  CHECK(content(bundle, "nats/jwt.conf").find("dir: \"/data/jwt\"") != std::string::npos);
}

TEST_CASE("No websocket URL means no websocket listener") {
  BundleOptions options;
  options.dir = "/srv/trellis";
  options.websocket_url = "";
  CHECK(content(bundle_of(options), "nats/nats.conf").find("websocket") == std::string::npos);
}

TEST_CASE("Quotes and backslashes in the folder's name stay inside the string") {
  BundleOptions options;
  options.dir = "/srv/a \"b\\c";
  const std::string conf = content(bundle_of(options), "nats/nats.conf");
  CHECK(conf.find(R"(store_dir: "/srv/a \"b\\c/nats/data")") != std::string::npos);
}

TEST_CASE("The control plane's configuration names the files beside it") {
  const Bundle bundle = default_bundle();
  const JsonDocument config = json_of(content(bundle, "trellis/config.jsonc"));
  CHECK(at(config, {"port"}) == "3000");
  CHECK(at(config, {"storage", "dbPath"}) == "./data/trellis.sqlite");
  CHECK(at(config, {"nats", "auth", "credsPath"}) == "../nats/creds/auth-auth.creds");
  CHECK(at(config, {"nats", "authCallout", "target", "nkey"}) ==
        in_manifest(bundle, {"nats", "accounts", "trellis", "publicKey"}));
  CHECK(at(config, {"oauth", "redirectBase"}) == "http://localhost:3000/auth/callback");
}

TEST_CASE("The manifests and the environment file hold no secret") {
  const Bundle bundle = default_bundle();
  for (const auto &[secret_path, secret] : bundle.files) {
    if (!secret_path.ends_with(".seed")) continue;
    INFO(secret_path);
    std::string seed = secret.content.reveal();
    seed.pop_back();
    for (const auto &[path, file] : bundle.files)
      if (!file.secret) CHECK(file.content.reveal().find(seed) == std::string::npos);
  }
}

TEST_CASE("Everything with a seed is marked secret") {
  const Bundle bundle = default_bundle();
  for (const auto &[path, file] : bundle.files) {
    INFO(path);
    CHECK(file.secret == (path.ends_with(".seed") || path.ends_with(".creds")));
  }
}

TEST_CASE("The local caller of the policy file is the holder of callers/local.seed") {
  const Bundle bundle = default_bundle();
  const auto key = SessionKey::from_seed(content(bundle, "callers/local.seed"));
  REQUIRE(key);
  CHECK(content(bundle, "policy.toml").find("session_key = \"" + key->text() + "\"") != std::string::npos);
}

TEST_CASE("A bundle with a control plane pins it, and hands it the privileged credentials") {
  const TempDir folder;
  BundleOptions options;
  options.dir = folder / "bundle";
  options.control_plane = {"/usr/lib/trellis/plugins/auth.so", std::string(64, 'a')};
  const Bundle bundle = bundle_of(options);
  REQUIRE(write_bundle(bundle, options.dir, false));
  const auto config = host::load_config(options.dir / "trellis.toml");
  if (!config) FAIL(config.error().text());
  CHECK(config->policy.mode == host::PolicyConfig::Mode::plugin);
  const host::PluginConfig *plugin = config->control_plane();
  REQUIRE(plugin);
  CHECK(plugin->name == "auth");
  CHECK(plugin->path == "/usr/lib/trellis/plugins/auth.so");
  CHECK(plugin->sha256 == std::string(64, 'a'));
  REQUIRE(plugin->connections);
  for (const auto &file : {plugin->connections->auth, plugin->connections->system, plugin->connections->trellis,
                           plugin->connections->session_seed}) {
    INFO(file);
    CHECK(fs::exists(file));
  }
  CHECK(at(json_of(host::PluginSettings::resolve(plugin->config)->json().reveal()), {"file"}) ==
        "trellis/config.jsonc"); // beside trellis.toml
}

TEST_CASE("Only NATS' own files say where a native bundle is: the rest may be moved") {
  BundleOptions options;
  options.dir = "/srv/trellis";
  options.control_plane = {"/usr/lib/trellis/plugins/auth.so", std::string(64, 'a')};
  const Bundle bundle = bundle_of(options);
  std::vector<std::string> bound;
  for (const auto &[path, file] : bundle.files)
    if (content(bundle, path).find("/srv/trellis") != std::string::npos) bound.push_back(path);
  CHECK(bound == std::vector<std::string>{"nats/jwt.conf", "nats/nats.conf"});
}

TEST_CASE("A bundle with a control plane has no policy file and no callers") {
  BundleOptions options;
  options.dir = "/srv/trellis";
  options.control_plane = {"/usr/lib/trellis/plugins/auth.so", std::string(64, 'a')};
  const Bundle bundle = bundle_of(options);
  CHECK_FALSE(bundle.files.contains("policy.toml"));
  CHECK_FALSE(bundle.files.contains("callers/local.seed"));
  CHECK(bundle.manifest_json.find("hostPolicy") == std::string::npos);
}

TEST_CASE("A bundle without a control plane has a policy file that its host takes") {
  const TempDir folder;
  BundleOptions options;
  options.dir = folder / "bundle";
  REQUIRE(write_bundle(bundle_of(options), options.dir, false));
  const auto config = host::load_config(options.dir / "trellis.toml");
  if (!config) FAIL(config.error().text());
  CHECK(config->policy.mode == host::PolicyConfig::Mode::static_);
  CHECK(load_static_policy(config->policy.file));
}

TEST_CASE("An account name that would break a configuration file is refused") {
  BundleOptions options;
  options.trellis_account = "TRELLIS\" }";
  const Error error = error_of(options);
  CHECK(error.code == "bundle_option");
  CHECK(error.where == "--trellis-account");
}

TEST_CASE("A NATS URL without a usable port is refused") {
  BundleOptions options;
  options.nats_url = "nats://127.0.0.1:99999";
  CHECK(error_of(options).where == "--nats-server-url");
  options.nats_url = "nats://a:4222,nats://b:4222";
  CHECK(error_of(options).where == "--nats-server-url");
  options.nats_url = "http://127.0.0.1:4222";
  CHECK(error_of(options).where == "--nats-server-url");
  options.nats_url = "nats://:4222";
  CHECK(error_of(options).where == "--nats-server-url");
}

TEST_CASE("A websocket URL of another scheme is refused") {
  BundleOptions options;
  options.websocket_url = "nats://127.0.0.1:4222";
  CHECK(error_of(options).where == "--nats-websocket-url");
}

TEST_CASE("Writing makes private files and folders, and leaves nothing beside them") {
  const TempDir folder;
  REQUIRE(write_bundle(default_bundle(), folder / "out", false));
  CHECK(mode_of(folder / "out") == 0700);
  CHECK(mode_of(folder / "out/nats/secrets") == 0700);
  CHECK(mode_of(folder / "out/nats/secrets/operator.seed") == 0600);
  CHECK(mode_of(folder / "out/nats/nats.conf") == 0600);
  CHECK(fs::is_directory(folder / "out/trellis/data"));
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator{}) == 1);
}

TEST_CASE("Writing fills an empty folder and makes missing parents") {
  const TempDir folder;
  fs::create_directory(folder / "empty");
  CHECK(write_bundle(default_bundle(), folder / "empty", false));
  CHECK(fs::exists(folder / "empty/manifest.json"));
  CHECK(write_bundle(default_bundle(), folder / "a/b/c/", false));
  CHECK(fs::exists(folder / "a/b/c/manifest.json"));
}

TEST_CASE("A folder that holds something is left alone without force") {
  const TempDir folder;
  fs::create_directory(folder / "out");
  std::ofstream(folder / "out/mine") << "precious";
  const auto written = write_bundle(default_bundle(), folder / "out", false);
  REQUIRE_FALSE(written);
  CHECK(written.error().code == "bundle_exists");
  CHECK(read_file(folder / "out/mine") == "precious");
  CHECK_FALSE(fs::exists(folder / "out/manifest.json"));
}

TEST_CASE("With force the folder is replaced as a whole") {
  const TempDir folder;
  const Bundle first = default_bundle();
  const Bundle second = default_bundle();
  REQUIRE(write_bundle(first, folder / "out", false));
  std::ofstream(folder / "out/nats/data/leftover") << "old";
  REQUIRE(write_bundle(second, folder / "out", true));
  CHECK(read_file(folder / "out/nats/secrets/operator.seed") == content(second, "nats/secrets/operator.seed"));
  CHECK_FALSE(fs::exists(folder / "out/nats/data/leftover"));
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator{}) == 1);
}

TEST_CASE("A file in the way is never replaced") {
  const TempDir folder;
  std::ofstream(folder / "out") << "precious";
  const auto written = write_bundle(default_bundle(), folder / "out", true);
  REQUIRE_FALSE(written);
  CHECK(written.error().code == "bundle_exists");
  CHECK(read_file(folder / "out") == "precious");
}

TEST_CASE("A bundle that can't be written completely leaves nothing") {
  const TempDir folder;
  Bundle bundle = default_bundle();
  bundle.files[std::string(300, 'x')] = BundleFile{SecretText("a name that no file system takes"), false};
  const auto written = write_bundle(bundle, folder / "out", false);
  REQUIRE_FALSE(written);
  CHECK(written.error().code == "bundle_unwritable");
  CHECK(fs::is_empty(folder.path()));
}
