// trellis contract check: what is said against a contract, and where.
#include "contract_testing.h"

#include <algorithm>

using namespace trellis;
using namespace trellis::cli::testing;
using Words = std::vector<std::string>;

namespace {

// The findings about one contract, from `--json`.
JsonDocument checked(const std::string &text, const Words &more = {}) {
  const ContractFolder folder;
  Words arguments{"check", folder.write("c.json", text), "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_contract(arguments).json();
}

bool is_valid(const JsonValue &result) {
  const auto *valid = find_member(result, "valid");
  REQUIRE(valid);
  return valid->GetBool();
}

Words errors_of(const std::string &text) {
  return categories(checked(text), "errors");
}

// Of a valid contract.
Words warnings_of(const std::string &text) {
  const auto result = checked(text);
  CHECK(is_valid(result));
  return categories(result, "warnings");
}

const std::string kSchema = R"("schemas":{"S":{"type":"object"}})";

} // namespace

TEST_CASE("a valid contract without anything odd has neither errors nor warnings") {
  const auto result = checked(contract_text(kSchema + R"(,"rpc":{)" + rpc_text("Q.Get") + "}"));
  CHECK(is_valid(result));
  CHECK(string_member(result, "id") == "acme.q@v1");
  CHECK(to_json(*find_member(result, "namespaces")) == R"(["Q"])");
  CHECK(find_member(result, "errors")->Empty());
  CHECK(find_member(result, "warnings")->Empty());
}

TEST_CASE("a structural error is one JSON object with file, line, column, pointer and category") {
  const auto result = checked(contract_text(R"("rpc":{"Q.Get":{"version":"v1","subject":3}})"));
  const auto &error = (*find_member(result, "errors"))[0];
  CHECK(string_member(error, "category") == "structure");
  CHECK(string_member(error, "file").ends_with("/c.json"));
  CHECK(find_member(error, "line")->GetInt() == 7);
  CHECK(find_member(error, "column")->GetInt() == 42);
  CHECK(string_member(error, "pointer") == "/rpc/Q.Get/subject");
  CHECK(!string_member(error, "message").empty());
  CHECK(!string_member(error, "expected").empty());
}

TEST_CASE("text and JSON tell the same error, text on stderr in both") {
  const ContractFolder folder;
  const auto file = folder.write("c.json", contract_text(R"("rpc":[])"));
  const auto text = run_contract({"check", file}), json = run_contract({"check", file, "--json"});
  CHECK(text.code == 1);
  CHECK(json.code == 1);
  CHECK(text.out.empty());
  CHECK(text.err == json.err);
  CHECK(text.err.starts_with("error: " + file + ":7:7 /rpc: "));
}

TEST_CASE("a schema whose pattern no client can compile is an error at the pattern") {
  const auto result = checked(contract_text(R"("schemas":{"S":{"type":"string","pattern":"("}})"));
  REQUIRE(categories(result, "errors") == Words{"schema_pattern"});
  CHECK(string_member((*find_member(result, "errors"))[0], "pointer") == "/schemas/S/pattern");
}

TEST_CASE("two surfaces on one subject are an error, because such a contract is never active") {
  CHECK(errors_of(
            contract_text(kSchema + R"(,"feeds":{"A":{"version":"v1","subject":"feeds.v1.Q.A","input":{"schema":"S"},
      "event":{"schema":"S"}},"B":{"version":"v1","subject":"feeds.v1.Q.A","input":{"schema":"S"},"event":{"schema":"S"}}})")) ==
        Words{"subject_surface_conflict"});
}

TEST_CASE("the install check names the first subject that breaks its rules") {
  const auto with_subject = [](const std::string &subject) {
    return errors_of(contract_text(kSchema + R"(,"rpc":{"Q.Get":{"version":"v1","subject":")" + subject +
                                   R"(","input":{"schema":"S"},"output":{"schema":"S"}}})"));
  };
  CHECK(with_subject("rpc.v1.Q.*") == Words{"subject_wildcard"});
  CHECK(with_subject("rpc.v2.Q.Get") == Words{"subject_prefix"});
  CHECK(with_subject("rpc.v1..Get") == Words{"subject_namespace"});
  CHECK(with_subject("rpc.v1.Auth.Get") == Words{"subject_reserved"});
}

TEST_CASE("platform contracts are known without being given") {
  const auto use = [](const std::string &rpc) {
    return checked(contract_text(R"("uses":{"required":{"auth":{"contract":"trellis.auth@v1","rpc":{"call":[")" + rpc +
                                 R"("]}}}})"));
  };
  const auto known = use("Auth.Sessions.Me");
  CHECK(is_valid(known));
  CHECK(find_member(known, "unknownContracts")->Empty());
  const auto missing = use("Auth.Sessions.You");
  REQUIRE(categories(missing, "errors") == Words{"dependency_missing"});
  const auto &error = (*find_member(missing, "errors"))[0];
  CHECK(string_member(error, "pointer") == "/uses/required/auth/rpc/call");
  CHECK(string_member(*find_member(error, "details"), "key") == "Auth.Sessions.You");
}

TEST_CASE("a use of an unknown contract is a warning, and the rest is checked all the same") {
  const auto uses = std::string(R"("uses":{"required":{"e":{"contract":"acme.e@v1","rpc":{"call":["E.Say"]}}}},)");
  CHECK(warnings_of(contract_text(uses + kSchema)) == Words{"dependency_unknown"});
  CHECK(errors_of(contract_text(uses + kSchema + R"(,"rpc":{"Q.Get":{"version":"v1","subject":"rpc.v2.Q.Get",
      "input":{"schema":"S"},"output":{"schema":"S"}}})")) == Words{"subject_prefix"});
}

TEST_CASE("contracts given with --with resolve uses, and own their subjects") {
  const ContractFolder folder;
  const auto other =
      folder.write("e.json", contract_text(kSchema + R"(,"rpc":{)" + rpc_text("E.Say") + "}", "service", "acme.e@v1"));
  const auto use = [&](const std::string &name) {
    return checked(
        contract_text(R"("uses":{"required":{"e":{"contract":"acme.e@v1","rpc":{"call":[")" + name + R"("]}}}})"),
        {"--with", other});
  };
  CHECK(is_valid(use("E.Say")));
  CHECK(categories(use("E.Shout"), "errors") == Words{"dependency_missing"});
  const auto squatter = checked(contract_text(kSchema + R"(,"rpc":{)" + rpc_text("E.Say") + "}"), {"--with", other});
  CHECK(categories(squatter, "errors") == Words{"subject_owned"});
}

TEST_CASE("--for checks for another kind of deployment than the contract's own") {
  const ContractFolder folder;
  const auto device = folder.write("d.json", contract_text(R"("resources":{})", "device"));
  CHECK(categories(run_contract({"check", device, "--json"}).json(), "errors") == Words{"device_resources"});
  const auto service = folder.write("s.json", contract_text(""));
  CHECK(categories(run_contract({"check", service, "--for", "device", "--json"}).json(), "errors") ==
        Words{"kind_mismatch"});
  CHECK(run_contract({"check", service, "--for", "garage"}).code == 2);
}

TEST_CASE("an app is checked as a login would, not as an installation") {
  CHECK(errors_of(contract_text("", "app")).empty());
  CHECK(errors_of(contract_text(R"("uses":{"required":{"auth":{"contract":"trellis.auth@v1","rpc":{"call":["No"]}}}})",
                                "app")) == Words{"dependency_missing"});
}

TEST_CASE("what is dropped or leads nowhere is a warning and no failure") {
  CHECK(warnings_of(contract_text(R"("dislpayName":"Q")")) == Words{"unknown_member"});
  CHECK(warnings_of(contract_text(R"("uses":{"auth":{"contract":"trellis.auth@v1"}})")) == Words{"use_without_group"});
  CHECK(warnings_of(
            contract_text(kSchema + R"(,"feeds":{"F":{"version":"v1","subject":"feeds.v1.Q.F","input":{"schema":"Gone"},
      "event":{"schema":"S"}}})")) == Words{"unknown_schema_ref"});
  CHECK(warnings_of(contract_text(kSchema + R"(,"rpc":{)" +
                                  rpc_text("Q.Get", R"(,"errors":[{"type":"Sold"},{"type":"AuthError"}])") + "}")) ==
        Words{"undeclared_error"});
  CHECK(warnings_of(
            contract_text(kSchema + R"(,"jobs":{"w":{"payload":{"schema":"S"},"maxDeliver":1,"backoffMs":[1,2]}})")) ==
        Words{"backoff_cut"});
  CHECK(warnings_of(contract_text(kSchema + R"(,"operations":{"Q.Up":{"version":"v1","subject":"operations.v1.Q.Up",
      "input":{"schema":"S"},"output":{"schema":"S"},"transfer":{"direction":"send","store":"s","key":"/k"}}})")) ==
        Words{"transfer_store", "transfer_pointer"});
}

TEST_CASE("capabilities that operators would see without words are warnings") {
  const auto with_list = [](const std::string &key, const std::string &declared) {
    return warnings_of(contract_text(
        (declared.empty() ? "" : R"("capabilities":{")" + declared + R"(":{"displayName":"D","description":"D"}},)") +
        kSchema + R"(,"rpc":{)" + rpc_text("Q.Get", R"(,"capabilities":{"call":[")" + key + R"("]})") + "}"));
  };
  CHECK(with_list("acme.q::read", "acme.q::read").empty());
  CHECK(with_list("admin", "").empty());
  CHECK(with_list("acme.other::read", "").empty());
  CHECK(with_list("acme.q::read", "") == Words{"capability_undeclared"});
  CHECK(with_list("read", "") == Words{"capability_undeclared"});
  CHECK(with_list("read", "read") == Words{"capability_local"});
}

TEST_CASE("a repeated member is a warning at the one that counts") {
  const auto result = checked("{\n\"id\": \"acme.p@v1\"," + contract_text("").substr(1));
  CHECK(is_valid(result));
  REQUIRE(categories(result, "warnings") == Words{"duplicate_member"});
  const auto &warning = (*find_member(result, "warnings"))[0];
  CHECK(string_member(warning, "pointer") == "/id");
  CHECK(find_member(warning, "line")->GetInt() == 4);
}

TEST_CASE("what gives Rust clients another digest is a warning") {
  const Words differs{"rust_differs"};
  CHECK(warnings_of(contract_text(R"("rpc":{})")) == differs);
  CHECK(warnings_of(contract_text(R"("schemas":{"S":{"minimum":1.0}})")) == differs);
  CHECK(warnings_of(contract_text(R"("schemas":{"S":{"minimum":9007199254740993}})")) == differs);
  CHECK(warnings_of(contract_text(R"("schemas":{"S":{"minimum":0.000002}})")) == differs);
  CHECK(warnings_of(contract_text(R"("schemas":{"S":{"const":"\ud800"}})")) == differs);
  CHECK(warnings_of(contract_text(R"("docs":{"markdown":""})")) == differs);
  CHECK(warnings_of(contract_text(kSchema + R"(,"rpc":{)" + rpc_text("Q.Get", R"(,"internal":true)") + "}")) ==
        differs);
  CHECK(warnings_of(contract_text(R"("schemas":{"S":{"minimum":1.5,"maximum":9007199254740992}})")).empty());
}

TEST_CASE("every contract of the platform is valid") {
  for (const char *name : {"plugins/auth/contracts/trellis.auth", "plugins/auth/contracts/trellis.core",
                           "sdk/contracts/platform/trellis.health", "plugins/auth/contracts/trellis.jobs",
                           "plugins/auth/contracts/trellis.state"}) {
    const auto file = std::string(TRELLIS_SOURCE_ROOT "/") + name + "@v1.json";
    const auto run = run_contract({"check", file});
    INFO(run.err);
    CHECK(run.code == 0);
  }
}

TEST_CASE("an array of contracts is checked whole, and the others want --id") {
  const ContractFolder folder;
  const auto good = contract_text(kSchema, "service", "acme.a@v1"),
             bad = contract_text(R"("schemas":{"S":{"pattern":"("}})");
  const auto file = folder.write("both.json", "[" + good + "," + bad + "]");
  const auto run = run_contract({"check", file, "--json"});
  CHECK(run.code == 1);
  const auto result = run.json();
  const auto &contracts = *find_member(result, "contracts");
  REQUIRE(contracts.Size() == 2);
  CHECK(is_valid(contracts[0]));
  CHECK(string_member((*find_member(contracts[1], "errors"))[0], "pointer") == "/1/schemas/S/pattern");
  CHECK(run_contract({"digest", file}).code == 1);
  CHECK(run_contract({"digest", file, "--id", "acme.a@v1"}).code == 0);
  CHECK(run_contract({"digest", file, "--id", "acme.z@v1"}).err.find("acme.a@v1, acme.q@v1") != std::string::npos);
  CHECK(run_contract({"check", folder.write("twice.json", "[" + good + "," + good + "]")}).err.find("/1/id") !=
        std::string::npos);
  CHECK(run_contract({"check", folder.write("none.json", "[]")}).code == 1);
}
