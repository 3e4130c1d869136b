#include "bundle.h"
#include "call_setup.h"
#include "tests/support/temp_dir.h"
#include <catch2/catch_test_macros.hpp>
#include <sstream>
#include <sys/stat.h>

using namespace trellis;
using namespace trellis::cli;
using trellis::test::TempDir;

namespace {

std::string contract_text(const std::string &id, const std::string &rpc) {
  return R"({"format":"trellis.contract.v1","id":")" + id +
         R"(","displayName":"N","description":"D","kind":"service","schemas":{"M":{}},"rpc":{")" + rpc +
         R"(":{"version":"v1","subject":"rpc.v1.)" + rpc + R"(","input":{"schema":"M"},"output":{"schema":"M"}}}})";
}

Manifest contract(const std::string &id, const std::string &rpc) {
  auto manifest = Manifest::parse(contract_text(id, rpc));
  REQUIRE(manifest);
  return *manifest;
}

// A bundle without plugins, and a contract beside it.
struct Installation {
  Installation() {
    BundleOptions options;
    options.dir = dir / "bundle";
    const auto made = make_bundle(options, 1760000000);
    REQUIRE(made);
    REQUIRE(write_bundle(*made, options.dir, false));
    test::write_file(dir / "echo.json", contract_text("acme.echo@v1", "Echo.Say"));
    arguments.config = (options.dir / "trellis.toml").string();
    arguments.contract = (dir / "echo.json").string();
    arguments.rpc = "Echo.Say";
  }
  Result<CallSetup> prepare() const {
    std::ostringstream notes;
    return prepare_call(arguments, notes);
  }
  std::filesystem::path seed_file() const { return dir / "bundle/callers/local.seed"; }

  TempDir dir;
  CallArguments arguments;
};

} // namespace

TEST_CASE("An rpc is found by its name alone") {
  const auto found = contract_with_rpc({contract("acme.a@v1", "A.Do"), contract("acme.b@v1", "B.Do")}, "B.Do");
  REQUIRE(found);
  CHECK(found->id() == "acme.b@v1");
}

TEST_CASE("A name that two contracts have needs the contract") {
  const auto found = contract_with_rpc({contract("acme.a@v1", "A.Do"), contract("acme.b@v1", "A.Do")}, "A.Do");
  REQUIRE_FALSE(found);
  CHECK(found.error().code == "rpc_ambiguous");
  CHECK(found.error().expected.find("--contract") != std::string::npos);
}

TEST_CASE("A misspelt rpc gets a suggestion") {
  const auto found = contract_with_rpc({contract("acme.a@v1", "Echo.Say")}, "Echo.Sya");
  REQUIRE_FALSE(found);
  CHECK(found.error().code == "rpc_unknown");
  CHECK(found.error().message.find("did you mean Echo.Say?") != std::string::npos);
}

TEST_CASE("A fresh bundle has all that a call needs") {
  const Installation installation;
  const auto setup = installation.prepare();
  REQUIRE(setup);
  CHECK(setup->method.subject == "rpc.v1.Echo.Say");
  CHECK(setup->config.nats_servers == std::vector<std::string>{"nats://127.0.0.1:4222"});
  CHECK(setup->policy->caller_credentials(setup->key.text()));
}

TEST_CASE("A caller that isn't in the policy file is refused, with the nearest name") {
  Installation installation;
  installation.arguments.caller = "lcoal";
  const auto setup = installation.prepare();
  REQUIRE_FALSE(setup);
  CHECK(setup.error().code == "caller_unknown");
  CHECK(setup.error().message.find("did you mean local?") != std::string::npos);
}

TEST_CASE("A caller's seed that others can read is refused") {
  const Installation installation;
  ::chmod(installation.seed_file().c_str(), 0644);
  const auto setup = installation.prepare();
  REQUIRE_FALSE(setup);
  CHECK(setup.error().code == "secret_exposed");
}

TEST_CASE("A seed of another key than the policy file names is refused") {
  const Installation installation;
  test::write_file(installation.seed_file(), SessionKey::generate().seed_text().reveal());
  const auto setup = installation.prepare();
  REQUIRE_FALSE(setup);
  CHECK(setup.error().code == "caller_unknown");
}

TEST_CASE("A contract that is neither known nor a file is refused") {
  Installation installation;
  installation.arguments.contract = "acme.nowhere@v1";
  const auto setup = installation.prepare();
  REQUIRE_FALSE(setup);
  CHECK(setup.error().code == "contract_unreadable");
}
