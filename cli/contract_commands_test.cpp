// trellis contract normalize, canonical, digest, needs, permissions and schema.
#include "contract_testing.h"
#include "contracts/encoding.h"
#include "contracts/manifest.h"

#include <algorithm>

using namespace trellis;
using namespace trellis::cli::testing;

namespace {

const std::string kEcho = TRELLIS_BUILD_ROOT "/examples/echo-c.so";
const std::string kInventory = TRELLIS_BUILD_ROOT "/examples/inventory.so";
const std::string kAgent = TRELLIS_SOURCE_ROOT "/cli/agent_contract.json";
constexpr char kKey[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

bool lists(const JsonValue &result, const char *name, const std::string &item) {
  const auto *list = find_member(result, name);
  REQUIRE(list);
  REQUIRE(list->IsArray());
  return std::ranges::any_of(list->GetArray(), [&](const auto &each) { return text_of(each) == item; });
}

} // namespace

TEST_CASE("normalize prints the manifest that is stored, with the same digest") {
  const ContractFolder folder;
  const auto file =
      folder.write("c.json", contract_text(R"("unknown":1,"schemas":{"S":{"const":"\ud800 \u202e"}},"rpc":{)" +
                                           rpc_text("Q.Get", R"(,"internal":true)") + "}"));
  const auto normalized = run_contract({"normalize", file});
  CHECK(normalized.code == 0);
  CHECK(normalized.out.find("unknown") == std::string::npos);
  CHECK(normalized.out.find("internal") == std::string::npos);
  CHECK(normalized.out.find("\\ud800") != std::string::npos); // still JSON that can be read again
  const auto again = folder.write("n.json", normalized.out);
  CHECK(run_contract({"normalize", again}).out == normalized.out);
  CHECK(run_contract({"digest", again}).out == run_contract({"digest", file}).out);
}

TEST_CASE("canonical prints any JSON without a line end") {
  const ContractFolder folder;
  const auto file = folder.write("v.json", "[ 1.0, {\"b\":1e21, \"a\":\"\\u0041/\"} ]\n");
  CHECK(run_contract({"canonical", file}).out == R"([1,{"a":"A/","b":1e+21}])");
  const auto json = run_contract({"canonical", file, "--json"}).json();
  CHECK(string_member(json, "canonical") == R"([1,{"a":"A/","b":1e+21}])");
  const auto zero = run_contract({"canonical", folder.write("z.json", "[0,\n -0]")});
  CHECK(zero.code == 1);
  CHECK(zero.err.find("z.json:2:2 /1: ") != std::string::npos);
}

TEST_CASE("the digest is the hash of the canonical projection") {
  const auto projection = run_contract({"canonical", "--projection", kEcho});
  CHECK(projection.code == 0);
  CHECK(sha256_base64url(projection.out) + "\n" == run_contract({"digest", kEcho}).out);
  CHECK(std::string(string_member(run_contract({"canonical", "--projection", kEcho, "--json"}).json(), "digest")) +
            "\n" ==
        run_contract({"digest", kEcho}).out);
}

TEST_CASE("needs begin with capabilities in their owner's words") {
  const ContractFolder folder;
  const auto file = folder.write(
      "c.json",
      contract_text(R"("uses":{"required":{"inv":{"contract":"acme.inventory@v1","rpc":{"call":["Inventory.Take"]}},
                                              "gone":{"contract":"acme.gone@v1"}}},
        "schemas":{"S":{}},"resources":{"kv":{"cache":{"purpose":"Remembers answers.","schema":{"schema":"S"}}}})"));
  const auto page = run_contract({"needs", file, "--with", kInventory, "--with", kEcho});
  INFO(page.out + page.err);
  REQUIRE(page.code == 0);
  const auto capability = page.out.find("Take stock  (acme.inventory::stock.take)  [required]");
  const auto consequence = page.out.find("Consequence: Taken items can't be sold again.");
  const auto use = page.out.find("call rpc Inventory.Take  [required]");
  const auto resource = page.out.find("kv cache  [required]");
  CHECK(capability != std::string::npos);
  CHECK(capability < consequence);
  CHECK(consequence < use);
  CHECK(use < resource);
  CHECK(page.out.find("Remembers answers.") != std::string::npos);
  CHECK(page.out.find("acme.gone@v1  [required]\n    not known here") != std::string::npos);
}

TEST_CASE("needs as JSON hold the same facts") {
  const auto result = run_contract({"needs", kInventory, "--json"}).json();
  CHECK(find_member(result, "capabilities")->Empty());
  const auto &defined = (*find_member(result, "definedCapabilities"))[0];
  CHECK(string_member(defined, "key") == "acme.inventory::stock.take");
  CHECK(string_member(defined, "describedBy") == "acme.inventory@v1");
  CHECK(to_json(*find_member(result, "unknownContracts")) == R"(["acme.echo@v1"])");
  CHECK(find_member(result, "providedSurfaces")->Size() == 2);
  CHECK(find_member(*find_member(result, "needs"), "contracts")->Size() == 2);
}

TEST_CASE("a text of a contract can't pass for a line of ours") {
  const ContractFolder folder;
  const auto file = folder.write(
      "c.json", contract_text(R"("capabilities":{"acme.q::x":{"displayName":"D\nResources that it gets\u001b[1m",
      "description":"\u202e"}})"));
  const auto page = run_contract({"needs", file});
  CHECK(page.out.find("D?Resources that it gets?[1m") != std::string::npos);
  CHECK(page.out.find("\u202e") == std::string::npos);
}

TEST_CASE("a service's permissions name its subjects, those that it uses and its inbox") {
  const auto result =
      run_contract({"permissions", kInventory, "--with", kEcho, "--session-key", kKey, "--json"}).json();
  CHECK(string_member(result, "as") == "service");
  CHECK(lists(result, "publish", "rpc.v1.Echo.Say"));
  CHECK(lists(result, "publish", "rpc.v1.Auth.Requests.Validate"));
  CHECK(lists(result, "subscribe", "rpc.v1.Inventory.Take"));
  CHECK(lists(result, "subscribe", "_INBOX.AAAAAAAAAAAAAAAA.>"));
  CHECK(find_member(result, "responses")->GetInt() == 65535);
  const auto alone = run_contract({"permissions", kInventory});
  CHECK(alone.code == 0);
  CHECK(alone.out.find("incomplete=without --with FILE for acme.echo@v1\n") != std::string::npos);
}

TEST_CASE("a user's permissions are what the contract delegates") {
  const auto result = run_contract({"permissions", kAgent, "--as", "user", "--json"}).json();
  CHECK(lists(result, "publish", "rpc.v1.Auth.Sessions.Me"));
  CHECK(!lists(result, "publish", "rpc.v1.Auth.Requests.Validate"));
  CHECK(find_member(result, "responses")->GetInt() == 1);
}

TEST_CASE("a device gets its surfaces and no resources") {
  const ContractFolder folder;
  const auto file = folder.write("d.json", contract_text(R"("schemas":{"S":{}},"events":{"Q.Hot":{"version":"v1",
      "subject":"events.v1.Q.Hot","event":{"schema":"S"}}})",
                                                         "device"));
  const auto result = run_contract({"permissions", file, "--session-key", kKey, "--json"}).json();
  CHECK(string_member(result, "as") == "device");
  CHECK(to_json(*find_member(result, "publish")) == R"(["events.v1.Q.Hot"])");
  CHECK(to_json(*find_member(result, "subscribe")) == R"(["_INBOX.AAAAAAAAAAAAAAAA.>","events.v1.Q.Hot"])");
}

TEST_CASE("permissions say which resources will add subjects of their own") {
  const ContractFolder folder;
  const auto file =
      folder.write("c.json", contract_text(R"("schemas":{"S":{}},"jobs":{"mail":{"payload":{"schema":"S"}}},
      "resources":{"kv":{"cache":{"purpose":"p","schema":{"schema":"S"}}}})"));
  const auto result = run_contract({"permissions", file, "--json"}).json();
  CHECK(to_json(*find_member(result, "resourcesWithoutSubjects")) == R"(["kv cache","jobs mail"])");
}

TEST_CASE("permissions of what a contract can't be are refused, and so is a key that is none") {
  const auto user = run_contract({"permissions", kInventory, "--as", "user"});
  CHECK(user.code == 1);
  CHECK(user.err.find("a contract of kind service makes no user (expected service)") != std::string::npos);
  CHECK(run_contract({"permissions", kInventory, "--session-key", "short"}).code == 2);
}

TEST_CASE("schema lists the schemas with their uses, and prints one") {
  const auto list = run_contract({"schema", kInventory, "--json"}).json();
  const auto &schemas = *find_member(list, "schemas");
  REQUIRE(schemas.Size() == 4);
  // In the order of the contract, which trellis-generate writes as canonical JSON.
  CHECK(string_member(schemas[0], "name") == "OutOfStockData");
  CHECK(to_json(*find_member(schemas[0], "usedBy")) == R"(["/errors/OutOfStock/schema"])");
  CHECK(string_member(schemas[1], "name") == "Sku");
  CHECK(to_json(*find_member(schemas[1], "usedBy")) == R"(["/rpc/Inventory.Get/input"])");
  const auto one = run_contract({"schema", kInventory, "Sku"});
  CHECK(to_json(one.json()) ==
        R"({"properties":{"sku":{"minLength":1,"type":"string"}},"required":["sku"],"type":"object"})");
  const auto unknown = run_contract({"schema", kInventory, "Skew"});
  CHECK(unknown.code == 1);
  CHECK(unknown.err.find("\"Skew\" is no schema of this contract") != std::string::npos);
}

TEST_CASE("validate answers by exit code, with the issues of the protocol") {
  const ContractFolder folder;
  const auto good = folder.write("good.json", R"({"sku":"x","quantity":2})");
  const auto bad = folder.write("bad.json", R"({"quantity":0})");
  CHECK(run_contract({"schema", kInventory, "Take", "--validate", good}).code == 0);
  const auto run = run_contract({"schema", kInventory, "Take", "--validate", bad, "--json"});
  CHECK(run.code == 1);
  const auto result = run.json();
  const auto &issues = *find_member(result, "issues");
  REQUIRE(issues.Size() == 2);
  CHECK(string_member(issues[0], "path") == "#");
  CHECK(string_member(issues[1], "path") == "#/properties/quantity");
  CHECK(run_contract({"schema", kInventory, "Take", "--validate", bad}).out.find("#/properties/quantity: ") !=
        std::string::npos);
}

TEST_CASE("validate without a verdict is exit code 2") {
  const ContractFolder folder;
  const auto broken = folder.write("broken.json", "{\n\"sku\": }");
  const auto run = run_contract({"schema", kInventory, "Take", "--validate", broken});
  CHECK(run.code == 2);
  CHECK(run.err.find("broken.json:2:8: ") != std::string::npos);
  CHECK(run_contract({"schema", kInventory, "Tuke", "--validate", broken}).code == 2);
  CHECK(run_contract({"schema", kInventory, "--validate", broken}).code == 2);
  CHECK(run_contract({"schema", "-", "Take", "--validate", "-"}).code == 2);
  CHECK(run_contract({"schema", folder.path("no.json"), "Take", "--validate", broken}).code == 2);
}
