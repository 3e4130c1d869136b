// trellis contract diff: verdicts, reasons and exit codes.
#include "contract_diff.h"
#include "contract_testing.h"

using namespace trellis;
using namespace trellis::cli::testing;

namespace {

struct Verdict {
  int code;
  std::string verdict, approval, rule, reason; // reason: the conflict's category
  JsonDocument json;
};

Verdict diff(const std::string &before, const std::string &after, const std::vector<std::string> &more = {}) {
  const ContractFolder folder;
  std::vector<std::string> arguments{"diff", folder.write("old.json", before), folder.write("new.json", after),
                                     "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const auto run = run_contract(arguments);
  INFO(run.err);
  auto json = run.json();
  const auto *conflict = find_member(json, "conflict");
  return {run.code,
          std::string(string_member(json, "verdict")),
          std::string(string_member(json, "approval")),
          std::string(string_member(json, "rule")),
          conflict ? std::string(string_member(*conflict, "category")) : "",
          std::move(json)};
}

// The array `name` as text.
std::string list(const Verdict &verdict, const char *name) {
  const auto *found = find_member(verdict.json, name);
  return found ? to_json(*found) : "";
}

std::string schema(const std::string &properties) {
  return R"("schemas":{"S":{"type":"object","properties":{)" + properties + "}}}";
}
std::string with_rpc(const std::string &rpc, const std::string &properties = "") {
  return contract_text(schema(properties) + R"(,"rpc":{)" + rpc + "}");
}
const std::string kEvents =
    R"("schemas":{"S":{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}}},
  "events":{"Q.Ev":{"version":"v1","subject":"events.v1.Q.Ev.)";

} // namespace

TEST_CASE("texts, docs and order change nothing in the digest") {
  const auto result = diff(with_rpc(rpc_text("Q.Get")),
                           contract_text(R"("docs":{"markdown":"m"},"rpc":{)" + rpc_text("Q.Get") + "}," + schema("")));
  CHECK(result.code == 0);
  CHECK(result.verdict == "same");
  CHECK(result.approval == "none");
  CHECK(list(result, "inDigest") == "[]");
  CHECK(list(result, "outsideDigest") == R"([{"change":"added","pointer":"/docs","new":{"markdown":"m"}}])");
}

TEST_CASE("a new optional property is compatible, and named by the surface that has it") {
  const auto result = diff(with_rpc(rpc_text("Q.Get")), with_rpc(rpc_text("Q.Get"), R"("x":{})"));
  CHECK(result.code == 0);
  CHECK(result.verdict == "compatible");
  CHECK(list(result, "inDigest") == R"([{"change":"added","pointer":"/schemas/S/properties/x","new":{}}])");
  CHECK(list(result, "surfaces") ==
        R"([{"change":"changed","section":"rpc","name":"Q.Get","fields":["input","output"]}])");
}

TEST_CASE("another type is incompatible, with the rule, the place and exit code 1") {
  const auto result = diff(with_rpc(rpc_text("Q.Get"), R"("x":{"type":"string"})"),
                           with_rpc(rpc_text("Q.Get"), R"("x":{"type":"number"})"));
  CHECK(result.code == 1);
  CHECK(result.verdict == "incompatible");
  CHECK(result.reason == "named_schema_incompatible");
  CHECK(result.rule.find("§12.1 step 2") != std::string::npos);
  CHECK(result.approval == "migration");
  const auto &conflict = *find_member(result.json, "conflict");
  CHECK(string_member(conflict, "file").ends_with("/new.json"));
  CHECK(string_member(conflict, "pointer") == "/schemas/S");
}

TEST_CASE("a changed subject or field is incompatible by step 3, two surfaces on a subject by step 1") {
  auto moved = rpc_text("Q.Get");
  moved.replace(moved.find("rpc.v1.Q.Get"), 12, "rpc.v1.Q.Got");
  CHECK(diff(with_rpc(rpc_text("Q.Get")), with_rpc(moved)).reason == "different_subject");
  CHECK(
      diff(with_rpc(rpc_text("Q.Get")), with_rpc(rpc_text("Q.Get", R"(,"capabilities":{"call":["admin"]})"))).reason ==
      "different_field");
  auto other = rpc_text("Q.Other");
  other.replace(other.find("rpc.v1.Q.Other"), 14, "rpc.v1.Q.Get");
  const auto taken = diff(with_rpc(rpc_text("Q.Get")), with_rpc(other));
  CHECK(taken.reason == "subject_surface_conflict");
  CHECK(taken.rule.find("step 1") != std::string::npos);
}

TEST_CASE("a removed surface is compatible, and said to be missed") {
  const auto result = diff(with_rpc(rpc_text("Q.Get") + "," + rpc_text("Q.Put")), with_rpc(rpc_text("Q.Get")));
  CHECK(result.code == 0);
  CHECK(list(result, "surfaces") == R"([{"change":"removed","section":"rpc","name":"Q.Put","fields":[]}])");
  CHECK(list(result, "notes").find("don't resolve") != std::string::npos);
  CHECK(result.approval == "none");
}

TEST_CASE("a new surface needs no approval to start, and gets no grant without one") {
  const auto result = diff(with_rpc(rpc_text("Q.Get")), with_rpc(rpc_text("Q.Get") + "," + rpc_text("Q.Put")));
  CHECK(result.approval == "none");
  CHECK(list(result, "notes").find("get no grant") != std::string::npos);
}

TEST_CASE("a new use is an update for the operator, with the needs that it adds") {
  const auto result = diff(contract_text(""), contract_text(R"("uses":{"required":{"core":{"contract":"trellis.core@v1",
      "rpc":{"call":["Trellis.Catalog"]}}}})"));
  CHECK(result.code == 0);
  CHECK(result.approval == "update");
  CHECK(list(result, "needs").find(R"({"change":"added","need":"capability trellis.core::catalog.read"})") !=
        std::string::npos);
  CHECK(list(result, "needs").find(R"({"change":"added","need":"rpc call Trellis.Catalog of trellis.core@v1"})") !=
        std::string::npos);
}

TEST_CASE("a resource that is dropped or defined anew is a migration") {
  const auto with_kv = [](const std::string &more) {
    return contract_text(R"("schemas":{"S":{}},"resources":{"kv":{"c":{"purpose":"p","schema":{"schema":"S"})" + more +
                         "}}}");
  };
  CHECK(diff(with_kv(""), contract_text("")).approval == "migration");
  const auto changed = diff(with_kv(""), with_kv(R"(,"history":5)"));
  CHECK(changed.approval == "migration");
  CHECK(changed.verdict == "compatible");
  CHECK(list(changed, "needs") == R"([{"change":"changed","need":"resource kv c: other definition"}])");
  CHECK(diff(with_kv(""), with_kv(R"(,"history":1)")).approval == "none"); // as the default has it
}

TEST_CASE("an app asks its users again when it wants more") {
  const auto app = [](const std::string &names) {
    return contract_text(
        R"("uses":{"required":{"auth":{"contract":"trellis.auth@v1","rpc":{"call":[)" + names + "]}}}}", "app");
  };
  CHECK(diff(app(R"("Auth.Sessions.Me")"), app(R"("Auth.Sessions.Me","Auth.Sessions.Logout")")).approval == "user");
  CHECK(diff(app(R"("Auth.Sessions.Me","Auth.Sessions.Logout")"), app(R"("Auth.Sessions.Me")")).approval == "none");
  const auto unknown = contract_text(R"("uses":{"required":{"x":{"contract":"acme.x@v1"}}})", "app");
  CHECK(diff(app(R"("Auth.Sessions.Me")"), unknown).approval == "unknown");
}

TEST_CASE("an event's params are compared in their order") {
  const auto event = [](const std::string &subject, const std::string &params) {
    return contract_text(kEvents + subject + R"(","params":)" + params + R"(,"event":{"schema":"S"}}})");
  };
  const auto result = diff(event("{/a}.{/b}", R"(["/a","/b"])"), event("{/b}.{/a}", R"(["/b","/a"])"));
  CHECK(result.reason == "different_subject");
}

TEST_CASE("two contracts of different ids, and files that hold none, allow no verdict") {
  const ContractFolder folder;
  const auto a = folder.write("a.json", contract_text("")),
             b = folder.write("b.json", contract_text("", "service", "acme.b@v1"));
  const auto others = run_contract({"diff", a, b, "--json"});
  CHECK(others.code == 2);
  CHECK(categories(others.json(), "errors") == std::vector<std::string>{"different_lineage"});
  CHECK(run_contract({"diff", a, folder.write("x.json", "{}")}).code == 2);
  CHECK(run_contract({"diff", folder.path("no.json"), a}).code == 2);
  CHECK(run_contract({"diff", a, a, "--with", folder.path("no.json")}).code == 2);
  CHECK(run_contract({"diff", "-", "-"}).code == 2);
  CHECK(run_contract({"diff", a}).code == 2);
}

TEST_CASE("the text has the verdict first and the reason on stderr") {
  const ContractFolder folder;
  const auto a = folder.write("a.json", with_rpc(rpc_text("Q.Get"))),
             b = folder.write("b.json", with_rpc(rpc_text("Q.Get", R"(,"errors":[])")));
  const auto run = run_contract({"diff", a, b});
  CHECK(run.code == 1);
  CHECK(run.out.starts_with("verdict=incompatible\n"));
  CHECK(run.err.find("b.json:") != std::string::npos);
  CHECK(run.err.find("/rpc/Q.Get/errors") != std::string::npos);
}
