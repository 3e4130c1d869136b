// Who vouches for a file, for how long, and what is approved: by a real host that is told otherwise while it runs.
#include "artifact/trust_minisign.h"
#include "live_control_plane.h"
#include "live_host.h"
#include "support/wait_until.h"
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <csignal>
#include <fstream>
#include <rapidjson/document.h>
#include <sys/stat.h>

using namespace trellis;
using namespace trellis::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr char kEcho[] = "acme.echo@v1";

// A host with a copy of echo, which tests sign and change, and a caller.
struct Shop : LiveHost {
  Shop() {
    std::filesystem::copy_file(built("echo-c.so"), file);
    accept(file);
    set_caller("clerk", {{}, {{kEcho, {"*"}}}});
  }

  void sign(const SigningKey &key) const {
    const auto bytes = read_file(file);
    write_file(file.string() + ".sig", sign_artifact(key, as_bytes(bytes), "test"));
  }
  // Another file with the same contract.
  void change_file() const {
    const auto changed = embed_config_schema(as_bytes(read_file(file)), "true");
    REQUIRE(changed);
    write_file(file.string() + ".new", std::string(as_text(*changed)));
    std::filesystem::rename(file.string() + ".new", file); // as a deploy does: what is mapped stays
  }
  std::string say(const std::string &text) {
    const auto result = connect("clerk")->call(kEcho, "Echo.Say", R"({"message":")" + text + R"("})");
    return result ? *result : result.error().envelope.to_json();
  }
  Outcome check() const {
    write_files();
    return run_program({built("trellis-host").string(), "--config", config_file().string(), "--check"});
  }
  void secret(const std::string &text, mode_t mode = 0600) const {
    const auto path = bundle() / "db-password";
    write_file(path, text);
    REQUIRE(::chmod(path.c_str(), mode) == 0);
  }

  std::filesystem::path file = bundle() / "echo.so";
};

std::string key_table(const std::string &name, const SigningKey &key, const std::string &lines = {}) {
  return "\n[trust.keys." + name + "]\nkey = \"" + key.signer().text + "\"\n" + lines;
}

} // namespace

TEST_CASE("a key is rotated out: what runs keeps running, and nothing that it signed is loaded anew") {
  Shop shop;
  const auto old_key = generate_signing_key(), new_key = generate_signing_key();
  const auto both = [&](const std::string &old_lines) {
    return key_table("build-2026", old_key, old_lines) + key_table("build-2027", new_key);
  };
  shop.set_plugin("echo",
                  {.file = shop.file, .pinned = false, .lines = "signers = [\"build-2026\", \"build-2027\"]\n"});
  shop.set_tables(both(""));
  shop.sign(old_key);
  shop.start();
  CHECK(shop.logged({"plugin running", "signer build-2026"}));
  CHECK(shop.say("one") == R"({"message":"one"})");

  shop.set_tables(both("revoked = true\n"));
  shop.reload();
  CHECK(shop.logged({"the plugin's file is refused; the running copy stays", "signer_revoked", "echo.so.sig",
                     "key build-2026 (" + key_id_text(old_key.id) + ")", "a signature by build-2027"}));
  CHECK(shop.say("two") == R"({"message":"two"})");
  const auto refused = shop.check();
  CHECK(refused.status == 1);
  CHECK_THAT(refused.out, ContainsSubstring("is revoked"));

  // The same file, signed by the new key: nothing to load, and nothing to complain about.
  shop.sign(new_key);
  shop.reload();
  CHECK(shop.count_logged({"running copy stays"}) == 1);
  CHECK(shop.say("three") == R"({"message":"three"})");
  CHECK(shop.check().status == 0);
  CHECK(shop.stop() == 0);

  // After a restart the old signature would be worth nothing.
  shop.sign(old_key);
  shop.start();
  CHECK(shop.logged({"plugin refused", "signer_revoked"}));
  CHECK(shop.stop() == 0);
}

TEST_CASE("where every plugin has to be signed, a pin isn't enough, and the message says who may sign") {
  Shop shop;
  const auto key = generate_signing_key();
  shop.set_plugin("echo", {.file = shop.file});
  shop.set_tables("\n[trust]\nrequire_signature = true\n" + key_table("build", key));
  shop.start();
  CHECK(shop.logged(
      {"plugin refused", "signature_required", "plugin echo is pinned, but not signed", "a signature by build"}));
  shop.sign(key);
  shop.reload();
  CHECK(shop.say("signed") == R"({"message":"signed"})");
  CHECK(shop.stop() == 0);
}

TEST_CASE("an approval of one file asks again when the file changes, while the approved one serves") {
  Shop shop;
  shop.set_plugin("echo", {.file = shop.file, .lines = "approve = \"artifact\"\n"});
  shop.start();
  CHECK(shop.logged({"plugin pending", "an [[accept]] with that `sha256`"})); // accepted, but not from one file
  shop.accept_artifact(shop.file);
  shop.reload();
  CHECK(shop.say("approved") == R"({"message":"approved"})");

  shop.change_file();
  shop.reload();
  CHECK(shop.logged(
      {"the plugin's new version isn't approved; the running one stays", hex(sha256(as_bytes(read_file(shop.file))))}));
  CHECK(shop.say("still") == R"({"message":"still"})");

  shop.accept_artifact(shop.file);
  shop.reload();
  CHECK(shop.logged({"plugin running", "replaced its predecessor"}));
  CHECK(shop.say("new") == R"({"message":"new"})");
  CHECK(shop.stop() == 0);
}

TEST_CASE("with a control plane a changed file is a plan that shows it, and runs once that is accepted") {
  LiveControlPlane live;
  const auto file = live.bundle() / "echo.so";
  std::filesystem::copy_file(built("echo-c.so"), file);
  const auto first = hex(sha256(as_bytes(read_file(file))));
  live.set_plugin("echo", file, "approve = \"artifact\"\n");
  live.start();
  REQUIRE(live.logged({"plugin pending", "\"echo\"", "authority_update_required"}));
  live.set_admin_password();
  const auto plane = live.sign_in_operator();
  const auto plans = [&] {
    const auto page =
        plane->list("Auth.DeploymentAuthority.Plans.List", R"({"deploymentId":"echo","state":"pending"})");
    return page ? to_json(*page) : page.error().text();
  };
  CHECK_THAT(plans(), ContainsSubstring(R"("artifact":{"sha256":")" + first + R"(","signer":""})"));
  live.accept_plan(*plane, "echo");
  REQUIRE(live.logged({"plugin running", "\"echo\""}));

  const auto changed = embed_config_schema(as_bytes(read_file(file)), "true");
  REQUIRE(changed);
  write_file(file.string() + ".new", std::string(as_text(*changed)));
  std::filesystem::rename(file.string() + ".new", file);
  const auto second = hex(sha256(*changed));
  live.write_config(); // with the new pin
  live.process().signal(SIGHUP);
  REQUIRE(live.logged({"the plugin's new version isn't approved; the running one stays", "\"echo\""}));
  CHECK_THAT(plans(), ContainsSubstring(R"("artifact":{"sha256":")" + second + R"(","signer":""})"));
  live.accept_plan(*plane, "echo");
  CHECK(live.logged({"plugin running", "replaced its predecessor"})); // without another reload
  CHECK(live.stop() == 0);
}

TEST_CASE("with a control plane a file that another key has signed is a plan too, and serves meanwhile") {
  LiveControlPlane live;
  const auto file = live.bundle() / "echo.so";
  std::filesystem::copy_file(built("echo-c.so"), file);
  const auto old_key = generate_signing_key(), new_key = generate_signing_key();
  const auto sign = [&](const SigningKey &key) {
    write_file(file.string() + ".sig", sign_artifact(key, as_bytes(read_file(file)), "test"));
  };
  sign(old_key);
  live.set_plugin("echo", file,
                  "approve = \"artifact\"\nsigners = [\"old\", \"new\"]\n" + key_table("old", old_key) +
                      key_table("new", new_key));
  live.start();
  live.set_admin_password();
  const auto plane = live.sign_in_operator();
  live.accept_plan(*plane, "echo");
  REQUIRE(live.logged({"plugin running", "\"echo\"", "signer old"}));
  const auto caller = live.connect(live.sign_in(caller_contract("test.clerk@v1", kEcho, {"Echo.Say"})));

  sign(new_key);
  live.process().signal(SIGHUP);
  REQUIRE(live.logged({"the plugin's new version isn't approved; the running one stays", "\"echo\""}));
  CHECK(caller->call(kEcho, "Echo.Say", R"({"message":"a"})"));
  live.accept_plan(*plane, "echo");
  CHECK(caller->call(kEcho, "Echo.Say", R"({"message":"b"})"));
  CHECK(live.count_logged({"plugin running", "\"echo\""}) == 1); // it never stopped
  CHECK(live.stop() == 0);
}

TEST_CASE("a contract id of the platform is refused before anything of the plugin runs") {
  Shop shop;
  auto contract = Artifact::open(shop.file)->manifest().normalized();
  contract.replace(contract.find("acme.echo@v1"), 12, "trellis.echo@v1");
  const auto changed = embed_contract(as_bytes(read_file(shop.file)), contract);
  REQUIRE(changed);
  write_file(shop.file, std::string(as_text(*changed)));
  shop.set_plugin("echo", {.file = shop.file});
  shop.accept(shop.file);
  shop.start();
  CHECK(shop.logged({"plugin refused", "contract_id_reserved", "trellis.echo@v1"}));
  CHECK(shop.count_logged({"plugin starting"}) == 0);
  CHECK(shop.stop() == 0);
}

TEST_CASE("a secret reaches the plugin, a changed one replaces it, and neither is shown anywhere") {
  Shop shop;
  shop.set_plugin("thrower", {.file = built("thrower.so"),
                              .lines = "[plugins.thrower.config]\nfail_in = { secret_file = \"db-password\" }\n"});
  shop.accept(built("thrower.so"));
  shop.secret("hunter2-first\n", 0644);
  shop.start();
  CHECK(shop.logged({"plugin refused", "secret_exposed", "trellis.toml:", "plugins.thrower.config.fail_in"}));
  shop.secret("start\n"); // what the plugin knows as an order to fail
  shop.reload();
  CHECK(shop.logged({"plugin failed", "start was told to fail"}));
  shop.secret("hunter2-first\n");
  shop.reload();
  CHECK(shop.logged({"plugin running", "test.thrower@v1"}));
  shop.secret("hunter2-second\n");
  shop.reload();
  CHECK(shop.logged({"plugin running", "replaced its predecessor"}));
  shop.reload(); // the same one: nothing to replace
  CHECK(shop.count_logged({"replaced its predecessor"}) == 1);

  const auto status = run_program(
      {built("trellis").string(), "host", "status", "--format", "json", "--config", shop.config_file().string()});
  CHECK(status.status == 0);
  CHECK_THAT(status.out, ContainsSubstring("thrower"));
  for (const auto &text : {shop.log(), status.out, shop.check().out})
    CHECK(text.find("hunter2") == std::string::npos);
  CHECK(shop.stop() == 0);
}

TEST_CASE("settings that the plugin's schema refuses are named by line, and never reach its code") {
  Shop shop;
  shop.set_plugin("inventory", {.file = built("inventory.so"),
                                .lines = "[plugins.inventory.config.shelves]\nbolt = 5\nnut = \"five\"\n"});
  shop.accept(built("inventory.so"));
  const auto checked = shop.check();
  CHECK(checked.status == 1);
  CHECK_THAT(checked.out, ContainsSubstring("plugins.inventory.config /shelves/nut: must be integer"));
  CHECK_THAT(checked.out, ContainsSubstring("trellis.toml:"));
  shop.start();
  CHECK(shop.logged({"plugin refused", "config_schema", "/shelves/nut"}));
  CHECK(shop.count_logged({"plugin starting", "\"inventory\""}) == 0);
  CHECK(shop.stop() == 0);
}
