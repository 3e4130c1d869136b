#include "contracts/authority.h"
#include "contracts/json_write.h"
#include "plan_review.h"
#include "review_text.h"
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::cli;

namespace {

constexpr char kBilling[] = R"({"format":"trellis.contract.v1","id":"acme.billing@v1","displayName":"Billing",
  "description":"Keeps invoices.","kind":"service","schemas":{"M":{}},
  "capabilities":{"acme.billing::read":{"displayName":"Read invoices","description":"See all invoices."}},
  "rpc":{"Billing.Get":{"version":"v1","subject":"rpc.v1.Billing.Get","input":{"schema":"M"},"output":{"schema":"M"},
    "capabilities":{"call":["acme.billing::read"]}}}})";

// A plan as Plans.Get gives it; `more`: further members, first.
std::string plan_text(const std::string &more = "", const std::string &description = "Take goods from stock.") {
  const auto contract = Manifest::parse(kBilling).value();
  return "{" + more + R"("planId":"01PLAN","deploymentId":"billing","classification":"update","state":"pending",
    "createdAt":"2026-01-01T00:00:00.000Z","warnings":[],"materializationPreview":{},
    "proposal":{"deploymentId":"billing","contractId":"acme.billing@v1","contractDigest":")" +
         contract.digest() + R"(","contract":)" + contract.normalized() + R"(,
      "providedSurfaces":[{"contractId":"acme.billing@v1","kind":"rpc","name":"Billing.Get","action":"call"}],
      "requestedNeeds":{"contracts":[{"contractId":"acme.billing@v1","required":true},
          {"contractId":"acme.stock@v1","required":true}],
        "surfaces":[{"contractId":"acme.stock@v1","kind":"rpc","name":"Stock.Take","action":"call","required":true}],
        "capabilities":[{"capability":"acme.stock::take","required":true}],
        "resources":[{"kind":"kv","alias":"cache","required":false,"definition":{"type":"kv","history":1}}]},
      "summary":{"desiredVersion":"01V1","requestedByKind":"service","requestedById":"svc_x",
        "authorityCapabilityDefinitions":[
          {"key":"acme.billing::read","displayName":"Read invoices","description":"See all invoices.","direction":"creates"},
          {"key":"acme.stock::take","displayName":"Take stock","description":)" +
         "\"" + description + R"(","consequence":"Stock gets less.","direction":"given"}]}},
    "desiredChange":{"contracts":[{"contractId":"acme.stock@v1","required":true}],"surfaces":[],
      "capabilities":[{"capability":"acme.stock::take","required":true}],"resources":[]}})";
}

std::string authority_text(const std::string &version, const std::string &resources = "") {
  return R"({"deploymentId":"billing","version":")" + version +
         R"(","desiredState":{"needs":{"contracts":[],"surfaces":[],"capabilities":[],"resources":[]},)"
         R"("capabilities":["acme.old::x"],"resources":[)" +
         resources + R"(],"surfaces":[]}})";
}

std::string page_of(const std::string &plan, const std::string &authority = authority_text("01V1"),
                    const std::string &capabilities = "[]") {
  const auto plan_json = parse_json(plan);
  REQUIRE(plan_json);
  const auto authority_json = parse_json(authority).value();
  const auto capabilities_json = parse_json(capabilities).value();
  return plan_review({*plan_json, &authority_json, &capabilities_json}, false);
}

std::size_t position(const std::string &page, const std::string &text) {
  INFO(page);
  INFO(text);
  const auto at = page.find(text);
  REQUIRE(at != std::string::npos);
  return at;
}
bool has(const std::string &page, const std::string &text) {
  return page.find(text) != std::string::npos;
}

} // namespace

TEST_CASE("The page tells what the contract is, then what it may do, then the rest") {
  const auto page = page_of(plan_text());
  const auto order = {position(page, "Plan 01PLAN"),
                      position(page, "Billing"),
                      position(page, "Keeps invoices."),
                      position(page, "Take stock  (acme.stock::take)  [required, new]"),
                      position(page, "Take goods from stock."),
                      position(page, "Consequence: Stock gets less."),
                      position(page, "Read invoices  (acme.billing::read)"),
                      position(page, "acme.stock@v1  [required, new]"),
                      position(page, "call rpc Stock.Take"),
                      position(page, "rpc: Billing.Get"),
                      position(page, "kv cache  [optional]"),
                      position(page, "rpc.v1.Billing.Get"),
                      position(page, "made for the authority as it is now (01V1)"),
                      position(page, "trellis plan accept 01PLAN")};
  CHECK(std::ranges::is_sorted(order));
}

TEST_CASE("The words for another contract's capability come from its owner") {
  std::string plan = plan_text();
  const std::string words = R"("displayName":"Take stock")";
  plan.replace(plan.find(words), words.size(), R"("displayName":"acme.stock::take")"); // the proposer knows none
  const auto page = page_of(plan, authority_text("01V1"), R"([{"key":"acme.stock::take","displayName":"Take goods",
      "description":"Removes goods.","consequence":"They are gone."}])");
  CHECK(has(page, "Take goods  (acme.stock::take)"));
  CHECK(has(page, "They are gone."));
}

TEST_CASE("A capability that nobody describes is shown as such") {
  std::string plan = plan_text();
  const std::string words = R"("displayName":"Take stock")";
  plan.replace(plan.find(words), words.size(), R"("displayName":"acme.stock::take")");
  CHECK(has(page_of(plan), "Nobody has described this capability."));
}

TEST_CASE("Uses of a contract that wasn't known yet are read from the contract itself") {
  std::string plan = plan_text();
  const std::string known =
      R"({"contractId":"acme.stock@v1","kind":"rpc","name":"Stock.Take","action":"call","required":true})";
  plan.replace(plan.find(known), known.size(), "");
  const std::string uses =
      R"("uses":{"required":{"stock":{"contract":"acme.stock@v1","rpc":{"call":["Stock.Take"]}}}},)";
  plan.insert(plan.find(R"("kind":"service")"), uses);
  CHECK(has(page_of(plan), "another plan to use:\n      rpc Stock.Take\n"));
}

TEST_CASE("A plan of one file shows the file and who signed it") {
  std::string plan = plan_text();
  CHECK_FALSE(has(page_of(plan), "SHA-256"));
  const std::string summary = R"("summary":{)";
  plan.insert(plan.find(summary) + summary.size(),
              R"("artifact":{"sha256":")" + std::string(64, 'a') + R"(","signer":"RWQsigner"},)");
  const auto page = page_of(plan);
  position(page, std::string(64, 'a'));
  position(page, "RWQsigner");
  CHECK_FALSE(has(page, "asks for nothing new")); // this one does
  plan.replace(plan.find("RWQsigner"), 9, "");
  CHECK(has(page_of(plan), "nobody"));
}

TEST_CASE("An outdated plan is called one") {
  const auto page = page_of(plan_text(), authority_text("01V2"));
  CHECK(has(page, "OUTDATED"));
  CHECK_FALSE(has(page, "trellis plan accept"));
  CHECK(has(page, "trellis plan reject"));
}

TEST_CASE("A migration shows its warnings, what it drops, and that it has to be acknowledged") {
  std::string plan = plan_text();
  plan.replace(plan.find("\"update\""), 8, "\"migration\"");
  plan.replace(plan.find("\"warnings\":[]"), 13, R"("warnings":["Callers of Billing.Old break."])");
  const auto page = page_of(plan, authority_text("01V1", R"({"kind":"kv","alias":"invoices","required":true})"));
  CHECK(has(page, "Callers of Billing.Old break."));
  CHECK(has(page, "DROPPED: kv invoices"));
  CHECK(has(page, "--acknowledge"));
}

TEST_CASE("A decided plan shows the decision instead of how to decide") {
  std::string plan = plan_text(R"("decisionAt":"2026-02-02T00:00:00.000Z","decisionBy":{"userId":"usr_1"},)"
                               R"("decisionReason":"too much",)");
  plan.replace(plan.find("\"pending\""), 9, "\"rejected\"");
  const auto page = page_of(plan);
  CHECK(has(page, "too much"));
  CHECK(has(page, "usr_1"));
  CHECK_FALSE(has(page, "trellis plan accept"));
}

TEST_CASE("A contract in the plan that isn't the one of the digest is pointed out") {
  std::string changed = plan_text();
  changed.replace(changed.find("\"contractDigest\":\"") + 18, 5, "XXXXX");
  CHECK(has(page_of(changed), "ATTENTION"));
  CHECK_FALSE(has(page_of(plan_text()), "ATTENTION"));
}

TEST_CASE("Words of the contract can't fake lines of the page") {
  const auto page = page_of(plan_text("", R"(Harmless.\nTo decide\n  trellis plan accept EVIL\u001b[2J\u202etxet)"));
  CHECK_FALSE(has(page, "\nTo decide\n  trellis plan accept EVIL"));
  CHECK_FALSE(has(page, "\x1b"));
  CHECK_FALSE(has(page, "\xE2\x80\xAE")); // right-to-left override
  CHECK(has(page, "\n    To decide\n"));  // indented, as all of its words
}

TEST_CASE("A plan with members missing or of wrong types still gives a page") {
  const std::string wrong_needs = R"("requestedNeeds":{"capabilities":[1,null,{}],"resources":"x"})";
  for (const std::string &plan :
       {std::string("{}"), std::string("[]"), std::string("null"),
        std::string(R"({"planId":7,"proposal":[],"warnings":{},"desiredChange":5})"),
        R"({"proposal":{"contract":{"id":7},)" + wrong_needs + R"(,"providedSurfaces":[[]],"summary":[]}})"}) {
    INFO(plan);
    CHECK(has(page_of(plan, "null", "{}"), "Version check"));
  }
}

TEST_CASE("Accepting shows what came and what went") {
  const auto before = parse_json(authority_text("01V1", R"({"kind":"kv","alias":"old"})")).value();
  const auto after = parse_json(R"({"desiredState":{"needs":{"contracts":[{"contractId":"acme.stock@v1"}],)"
                                R"("surfaces":[{"contractId":"acme.stock@v1","kind":"rpc","name":"Stock.Take",)"
                                R"("action":"call"}]},"capabilities":["acme.old::x","acme.stock::take"]}})")
                         .value();
  CHECK(authority_changes(before, after) ==
        std::vector<std::string>{"+ capability acme.stock::take", "+ contract acme.stock@v1",
                                 "+ rpc Stock.Take call of acme.stock@v1", "- resource kv old"});
  CHECK(authority_changes(before, before).empty());
}

TEST_CASE("Unusual characters become question marks, and other scripts stay") {
  CHECK(one_line("a\tb\r\nc\x7f") == "a?b??c?");
  CHECK(one_line("Größe 数 ✓") == "Größe 数 ✓");
  CHECK(one_line("\xC2\x9B"
                 "31m") == "?31m"); // a control sequence introducer in one character
  CHECK(one_line("a\xE2\x80\x8B"
                 "b") == "a?b");
  CHECK(one_line("\xff") == "\xEF\xBF\xBD");
}

TEST_CASE("Long texts are wrapped at words, under their indent") {
  ReviewText text(false);
  text.paragraph(std::string(60, 'a') + " " + std::string(60, 'b'), 2);
  CHECK(text.str() == "    " + std::string(60, 'a') + "\n    " + std::string(60, 'b') + "\n");
}
