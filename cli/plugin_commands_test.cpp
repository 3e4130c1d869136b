// The commands on real plugin files, run in this process.
#include "artifact/artifact.h"
#include "artifact/elf_testing.h"
#include "commands.h"
#include "contracts/json.h"

#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>
#include <sstream>
#include <sys/stat.h>

using namespace trellis;
using namespace trellis::cli;
using namespace trellis::testing;

namespace {

constexpr auto kContract =
    "{\n  \"format\": \"trellis.contract.v1\",\n  \"id\": \"acme.bare@v1\",\n"
    "  \"displayName\": \"Bare\",\n  \"description\": \"For tests.\",\n  \"kind\": \"service\"\n}\n";
constexpr auto kStranger = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

struct Run {
  int code = 0;
  std::string out, err;
  JsonDocument json() const {
    auto document = parse_json(out);
    REQUIRE(document);
    return std::move(*document);
  }
};

Run run(const std::vector<std::string> &arguments) {
  Program program("trellis", "0", "");
  add_contract_commands(program.root());
  add_plugin_commands(program.root());
  std::ostringstream out, err;
  const int code = program.run(arguments, out, err);
  return {code, out.str(), err.str()};
}

mode_t mode_of(const std::string &file) {
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

// A folder with a plugin that lacks a contract, and a contract.
struct Workplace {
  TemporaryFolder folder;
  std::string plugin = folder.write("p.so", read_file(testdata_path("no_contract")));
  std::string contract = folder.write("c.json", as_bytes(kContract));
  std::string key = (folder.path() / "signing.key").string();

  std::string sign_with_new_key() const {
    const auto signed_ = run({"plugin", "sign", plugin, "--new-key", key, "--json"});
    REQUIRE(signed_.code == 0);
    const auto result = signed_.json();
    return std::string(string_member(result, "signer"));
  }
};

} // namespace

TEST_CASE("contract check and digest read manifests and plugins alike") {
  const Workplace work;
  const auto file = run({"contract", "check", work.contract, "--json"});
  CHECK(file.code == 0);
  CHECK(string_member(file.json(), "id") == "acme.bare@v1");
  const auto plugin = run({"contract", "digest", example_path("echo-c"), "--json"});
  CHECK(plugin.code == 0);
  const auto bare = run({"contract", "digest", example_path("echo-c")});
  CHECK(bare.out == std::string(string_member(plugin.json(), "digest")) + "\n");
}

TEST_CASE("a broken contract is reported with file, line, column and pointer") {
  const TemporaryFolder folder;
  auto text = std::string(kContract);
  text.replace(text.find("\"acme.bare@v1\""), 14, "3");
  const auto wrong = run({"contract", "check", folder.write("c.json", as_bytes(text))});
  CHECK(wrong.code == 1);
  CHECK(wrong.err.find("c.json:3:9 /id: ") != std::string::npos);
  const auto broken = run({"contract", "check", folder.write("d.json", as_bytes("{\n  \"format\": }"))});
  CHECK(broken.code == 1);
  CHECK(broken.err.find("d.json:2:13: ") != std::string::npos);
  const auto missing = run({"contract", "check", (folder.path() / "no.json").string()});
  CHECK(missing.code == 1);
  CHECK(missing.err.find("no.json: the file can't be read") != std::string::npos);
}

TEST_CASE("embed makes a plugin of a file without a contract") {
  const Workplace work;
  CHECK(run({"plugin", "inspect", work.plugin}).code == 1);
  ::chmod(work.plugin.c_str(), 0750);
  const auto embedded = run({"plugin", "embed", work.plugin, work.contract, "--json"});
  INFO(embedded.err);
  REQUIRE(embedded.code == 0);
  CHECK(mode_of(work.plugin) == 0750);
  const auto artifact = Artifact::open(work.plugin);
  REQUIRE(artifact);
  CHECK(artifact->elf().contract == kContract); // as it was written
  CHECK(string_member(embedded.json(), "sha256") == artifact->sha256_hex());
  CHECK(string_member(embedded.json(), "digest") == artifact->manifest().digest());
}

TEST_CASE("embed writes the schema of the settings, which inspect shows") {
  const Workplace work;
  const auto schema = work.folder.write("s.json", as_bytes(R"({"type": "object", "required": ["shelves"]})"));
  CHECK(run({"plugin", "embed", work.plugin, "--config-schema", schema}).code == 1); // there is no contract yet
  REQUIRE(run({"plugin", "embed", work.plugin, work.contract, "--config-schema", schema}).code == 0);
  const auto artifact = Artifact::open_for_inspection(work.plugin);
  REQUIRE(artifact);
  CHECK(artifact->config_schema());
  CHECK(artifact->manifest().id() == "acme.bare@v1");
  const auto inspected = run({"plugin", "inspect", work.plugin, "--json"});
  CHECK(string_member(inspected.json(), "configSchema") == R"({"type":"object","required":["shelves"]})");

  // Replaced by itself, with the contract left as it is.
  const auto other = work.folder.write("t.json", as_bytes("true"));
  const auto replaced = run({"plugin", "embed", work.plugin, "--config-schema", other, "--json"});
  REQUIRE(replaced.code == 0);
  CHECK(string_member(replaced.json(), "digest") == artifact->manifest().digest());
  CHECK(*Artifact::open_for_inspection(work.plugin)->elf().config_schema == "true");

  for (const auto *text : {"[]", "{", R"({"properties":{"a":{"pattern":"("}}})"}) {
    INFO(text);
    const auto bad =
        run({"plugin", "embed", work.plugin, "--config-schema", work.folder.write("b.json", as_bytes(text))});
    CHECK(bad.code == 1);
    CHECK(bad.err.find("b.json") != std::string::npos);
  }
  CHECK(run({"plugin", "embed", work.plugin}).code == 1);
}

TEST_CASE("embed can write another file, and refuses what is no contract") {
  const Workplace work;
  const auto target = (work.folder.path() / "out.so").string();
  CHECK(run({"plugin", "embed", work.plugin, work.contract, "-o", target}).code == 0);
  CHECK(Artifact::open(target));
  CHECK(read_file(work.plugin) == read_file(testdata_path("no_contract")));
  const auto refused = run({"plugin", "embed", work.plugin, work.folder.write("x.json", as_bytes("{}"))});
  CHECK(refused.code == 1);
  CHECK(refused.err.find("x.json:1:1") != std::string::npos);
  CHECK(run({"plugin", "embed", work.contract, work.contract}).err.find("this is no ELF file") != std::string::npos);
}

TEST_CASE("what sign signs, verify verifies") {
  const Workplace work;
  REQUIRE(run({"plugin", "embed", work.plugin, work.contract}).code == 0);
  const auto signer = work.sign_with_new_key();
  CHECK(mode_of(work.key) == 0600);
  CHECK(run({"plugin", "verify", work.plugin, "--signer", kStranger, "--signer", signer}).code == 0);
  CHECK(run({"plugin", "verify", work.plugin, "--signer", kStranger}).code == 1);

  const auto again = run({"plugin", "sign", work.plugin, "--key", work.key, "--comment", "second", "--json"});
  REQUIRE(again.code == 0);
  CHECK(string_member(again.json(), "signer") == signer);
  CHECK(run({"plugin", "verify", work.plugin, "--signer", signer}).code == 0);

  auto bytes = read_file(work.plugin);
  bytes.push_back(0);
  work.folder.write("p.so", bytes);
  const auto changed = run({"plugin", "verify", work.plugin, "--signer", signer});
  CHECK(changed.code == 1);
  CHECK(changed.err.find("p.so: the signature by key") != std::string::npos);
}

TEST_CASE("a signing key is never overwritten, printed or taken from a file that others can read") {
  const Workplace work;
  REQUIRE(run({"plugin", "embed", work.plugin, work.contract}).code == 0);
  work.sign_with_new_key();
  const auto before = read_file(work.key);
  const auto again = run({"plugin", "sign", work.plugin, "--new-key", work.key});
  CHECK(again.code == 1);
  CHECK(read_file(work.key) == before);
  ::chmod(work.key.c_str(), 0640);
  const auto exposed = run({"plugin", "sign", work.plugin, "--key", work.key});
  CHECK(exposed.code == 1);
  ::chmod(work.key.c_str(), 0600);
  const auto fine = run({"plugin", "sign", work.plugin, "--key", work.key});
  CHECK(fine.code == 0);
  CHECK((exposed.err + fine.out + fine.err).find("SU") == std::string::npos);
}

TEST_CASE("inspect tells what a plugin is and what it would get") {
  const auto text = run({"plugin", "inspect", example_path("inventory"), "--known", example_path("echo-c")});
  INFO(text.err);
  REQUIRE(text.code == 0);
  CHECK(text.out.find("id=acme.inventory@v1\n") != std::string::npos);
  CHECK(text.out.find("symbols (--imports lists them)") != std::string::npos);

  const auto json = run({"plugin", "inspect", example_path("inventory"), "--known", example_path("echo-c"), "--json"});
  const auto result = json.json();
  CHECK(string_member(result, "sha256") == hex(sha256(read_file(example_path("inventory")))));
  CHECK(string_member(result, "signature") == "none");
  const auto *surfaces = find_member(result, "surfaces");
  REQUIRE(surfaces);
  REQUIRE(surfaces->Size() == 2);
  CHECK(string_member((*surfaces)[1], "subject") == "rpc.v1.Inventory.Take");
  CHECK(string_member((*surfaces)[1], "capabilities") == "acme.inventory::stock.take");
  const auto *publish = find_member(result, "publish");
  const auto *subscribe = find_member(result, "subscribe");
  REQUIRE(publish);
  REQUIRE(subscribe);
  CHECK(to_json(*publish).find("\"rpc.v1.Echo.Say\"") != std::string::npos);
  CHECK(to_json(*subscribe).find("\"rpc.v1.Inventory.Get\"") != std::string::npos);
  CHECK(to_json(*subscribe).find("\"_INBOX.<session>.>\"") != std::string::npos);
  CHECK(find_member(result, "unknownContracts")->Empty());
  CHECK(find_member(result, "imports")->Size() > 10);
  CHECK(find_member(result, "refusals")->Empty());
}

TEST_CASE("inspect without a used contract says what to give it") {
  const auto alone = run({"plugin", "inspect", example_path("inventory"), "--json"});
  CHECK(alone.code == 0);
  CHECK(to_json(*find_member(alone.json(), "unknownContracts")) == "[\"acme.echo@v1\"]");
  CHECK(alone.out.find("rpc.v1.Echo.Say") == std::string::npos);
  const auto text = run({"plugin", "inspect", example_path("inventory")});
  CHECK(text.out.find("--known FILE for acme.echo@v1\n") != std::string::npos);
}

TEST_CASE("inspect checks a signature when it is told whose") {
  const Workplace work;
  REQUIRE(run({"plugin", "embed", work.plugin, work.contract}).code == 0);
  const auto signer = work.sign_with_new_key();
  const auto signature = [&](const std::vector<std::string> &more) {
    std::vector<std::string> arguments{"plugin", "inspect", work.plugin, "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = run(arguments).json();
    return std::string(string_member(result, "signature"));
  };
  CHECK(signature({}) == "not checked (no --signer)");
  CHECK(signature({"--signer", signer}) == "valid");
  CHECK(signature({"--signer", kStranger}).find("the signature is by key") != std::string::npos);
}

TEST_CASE("inspect shows everything of a plugin that would be refused, and fails") {
  const auto refused = run({"plugin", "inspect", testdata_path("unique"), "--json"});
  CHECK(refused.code == 1);
  const auto result = refused.json();
  CHECK(string_member(result, "id") == "acme.unique@v1");
  REQUIRE(find_member(result, "refusals")->Size() == 1);
  CHECK(string_member((*find_member(result, "refusals"))[0], "refused") == "unique_symbols");
}

TEST_CASE("inspect refuses a contract that reaches into a namespace of others") {
  const Workplace work;
  auto text = std::string(kContract);
  text.replace(text.rfind('}'), 1,
               R"(,"schemas":{"A":{}},"rpc":{"Auth.Requests.Validate":{"version":"v1",
                  "subject":"rpc.v1.Auth.Requests.Validate","input":{"schema":"A"},"output":{"schema":"A"}}}})");
  const auto contract = work.folder.write("auth.json", as_bytes(text));
  REQUIRE(run({"plugin", "embed", work.plugin, contract}).code == 0);
  const auto refused = run({"plugin", "inspect", work.plugin});
  CHECK(refused.code == 1);
  CHECK(refused.err.find("namespace Auth") != std::string::npos);

  auto echo = std::string(kContract);
  echo.replace(echo.rfind('}'), 1,
               R"(,"schemas":{"A":{}},"rpc":{"Echo.Say":{"version":"v1","subject":"rpc.v1.Echo.Say",
                  "input":{"schema":"A"},"output":{"schema":"A"}}}})");
  REQUIRE(run({"plugin", "embed", work.plugin, work.folder.write("echo.json", as_bytes(echo))}).code == 0);
  CHECK(run({"plugin", "inspect", work.plugin}).code == 0);
  const auto collides = run({"plugin", "inspect", work.plugin, "--known", example_path("echo-c")});
  CHECK(collides.code == 1);
  CHECK(collides.err.find("acme.echo@v1") != std::string::npos);
}
