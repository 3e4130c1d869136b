#include "contracts/authority.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

constexpr char kSession[] = "abcdefghijklmnopqrstuvwxyz";

Manifest contract(const std::string &id, const std::string &members, const std::string &kind = "service") {
  auto manifest = Manifest::parse(R"({"format":"trellis.contract.v1","id":")" + id +
                                  R"(","displayName":"D","description":"D.","kind":")" + kind +
                                  R"(","schemas":{"S":true})" + (members.empty() ? "" : "," + members) + "}");
  if (!manifest) FAIL(manifest.error().text());
  return std::move(*manifest);
}

std::string rpc(const std::string &name, const std::string &more = "") {
  return R"("rpc":{")" + name + R"(":{"version":"v1","subject":"rpc.v1.)" + name +
         R"(","input":{"schema":"S"},"output":{"schema":"S"})" + more + "}}";
}

std::string operation(const std::string &name, const std::string &more = "") {
  return R"("operations":{")" + name + R"(":{"version":"v1","subject":"operations.v1.)" + name +
         R"(","input":{"schema":"S"},"output":{"schema":"S"})" + more + "}}";
}

std::string uses(const std::string &group, const std::string &alias, const std::string &id, const std::string &more) {
  return R"("uses":{")" + group + R"(":{")" + alias + R"(":{"contract":")" + id + "\"," + more + "}}}";
}

OfferRef offer(const Manifest &manifest, const std::string &accepted_at = "2026-01-01T00:00:00.000Z") {
  return {"o-" + accepted_at, "lineage of " + manifest.id(), manifest.id(), manifest.digest(), "accepted", accepted_at,
          accepted_at};
}

std::vector<std::string> subjects(const Grants &grants, bool publish) {
  std::vector<std::string> out;
  for (const auto &grant : grants.nats)
    if (grant.publish == publish) out.push_back(grant.subject);
  return out;
}

bool contains(const std::vector<std::string> &list, const std::string &item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

const std::string kCallB = R"("rpc":{"call":["B.Get"]})";

} // namespace

TEST_CASE("merging needs keeps a need required and takes the rest from the last") {
  Needs a, b;
  a.resources = {{ResourceKind::kv, "x", true, "old"}};
  b.resources = {{ResourceKind::store, "x", false, ""}, {ResourceKind::kv, "x", false, "new"}};
  const auto merged = merge_needs({&a, &b});
  REQUIRE(merged.resources.size() == 2);
  CHECK(merged.resources[0].required);
  CHECK(merged.resources[0].definition == "new");
}

TEST_CASE("each resolution looks at its own candidates") {
  const auto user = contract("a@v1", uses("required", "b", "b@v1", kCallB));
  const auto target = contract("b@v1", rpc("B.Get"));
  const auto answer = [&](const KnownContract &known, Resolution resolution) {
    const auto analysis = analyze(user, {known}, resolution);
    return analysis ? (analysis->required.surfaces.empty() ? "pending" : "found") : analysis.error().code;
  };
  const KnownContract active{target, true, false}, accepted{target, false, true}, stored{target, false, false};
  CHECK(answer(active, Resolution::active) == "found");
  CHECK(answer(accepted, Resolution::active) == "dependency_inactive");
  CHECK(answer(accepted, Resolution::active_or_accepted) == "found");
  CHECK(answer(stored, Resolution::active_or_accepted) == "dependency_inactive");
  CHECK(answer(stored, Resolution::known) == "found");
  const auto other = contract("other@v1", "");
  CHECK(answer({other, true, false}, Resolution::known) == "dependency_unknown");
  CHECK(answer({other, true, false}, Resolution::known_or_pending) == "pending");
}

TEST_CASE("a dependency error carries the message and details that other chapters use") {
  const auto user = contract("a@v1", uses("required", "b", "b@v1", R"("feeds":{"subscribe":["Nope"]})"));
  const auto analysis = analyze(user, {{contract("b@v1", rpc("B.Get"))}}, Resolution::active);
  REQUIRE(!analysis);
  CHECK(analysis.error().message == "Dependency 'b' references missing feed 'Nope' on 'b@v1'");
  CHECK(analysis.error().where == "/uses/required/b/feeds/subscribe");
  CHECK(analysis.error().detail("key") == "Nope");
  CHECK(analyze(user, {}, Resolution::active).error().message == "Dependency 'b' references inactive contract 'b@v1'");
}

TEST_CASE("candidates that can't be merged fail a known set and leave a plan pending") {
  const KnownContracts known = {{contract("b@v1", rpc("B.Get")), false},
                                {contract("b@v1", rpc("B.Get", R"(,"errors":[])")), false}};
  const auto required = contract("a@v1", uses("required", "b", "b@v1", kCallB));
  const auto optional = contract("a@v1", uses("optional", "b", "b@v1", kCallB));
  const auto failed = analyze(required, known, Resolution::known);
  REQUIRE(!failed);
  CHECK(failed.error().code == "dependency_incompatible");
  CHECK(failed.error().detail("digests").size() == 2 * 43 + 1);
  CHECK(analyze(required, known, Resolution::known_or_pending)->required.contracts.size() == 1);
  CHECK(analyze(optional, known, Resolution::known)->optional.contracts.empty());
}

TEST_CASE("a cancel list counts only for an operation that can be cancelled") {
  const auto user = contract("a@v1", uses("required", "b", "b@v1", R"("operations":{"call":["Run"]})"));
  const std::string lists = R"(,"capabilities":{"call":["call"],"cancel":["cancel"],"control":["control"]})";
  const auto keys = [&](const std::string &more) {
    std::string out;
    const auto analysis = analyze(user, {{contract("b@v1", operation("Run", lists + more))}}, Resolution::active);
    for (const auto &need : analysis->required.capabilities)
      out += need.capability + " ";
    return out;
  };
  CHECK(keys("") == "call control ");
  CHECK(keys(R"(,"cancel":false)") == "call control ");
  CHECK(keys(R"(,"cancel":true)") == "call cancel control ");
}

TEST_CASE("an event consumer's default backoff is cut below its deliveries") {
  const auto definition = [](const std::string &more) {
    const auto own = contract("a@v1", R"("events":{"E":{"version":"v1","subject":"events.v1.E","event":{"schema":"S"}}},
      "eventConsumers":{"g":{"self":["E"])" +
                                          more + "}}");
    return analyze(own, {}, Resolution::active)->required.resources.front().definition;
  };
  CHECK(definition("").find(R"("backoffMs":[5000,30000,120000,600000,1800000])") != std::string::npos);
  CHECK(definition(R"(,"maxDeliver":1)").find(R"("backoffMs":[])") != std::string::npos);
  CHECK(definition(R"(,"maxDeliver":3)").find(R"("backoffMs":[5000,30000])") != std::string::npos);
  CHECK(definition(R"(,"maxDeliver":1e300)").find(R"("maxDeliver":1e+300)") != std::string::npos);
}

TEST_CASE("optional resources are optional needs") {
  const auto own = contract("a@v1", R"("resources":{"kv":{"k":{"purpose":"p","schema":{"schema":"S"},"required":false}},
    "store":{"s":{"purpose":"p"}}},"exports":{"schemas":["S"]})");
  const auto analysis = analyze(own, {}, Resolution::active);
  REQUIRE(analysis);
  CHECK(analysis->required.resources.front().alias == "s");
  REQUIRE(analysis->optional.resources.size() == 1);
  CHECK(analysis->optional.resources[0].definition ==
        R"({"history":1,"schema":{"exported":true,"name":"S"},"ttlMs":0,"type":"kv"})");
}

TEST_CASE("the latest accepted offer owns a lineage and supplies its surfaces first") {
  const auto old_one = contract("b@v1", rpc("B.Get"));
  const auto new_one = contract("b@v1", R"("rpc":{"B.Get":{"version":"v2","subject":"rpc.v2.B.Get",
    "input":{"schema":"S"},"output":{"schema":"S"}}})");
  DesiredState desired;
  desired.surfaces = {{"b@v1", SurfaceKind::rpc, "B.Get", SurfaceAction::call}};
  const KnownContracts known = {{old_one}, {new_one}};
  const auto owner = [&](const Manifest &first, const Manifest &second) {
    auto withdrawn = offer(first, "2027-01-01T00:00:00.000Z");
    withdrawn.status = "withdrawn";
    const auto grants = materialize(
        desired, {offer(first, "2026-01-01T00:00:00.000Z"), offer(second, "2026-02-01T00:00:00.000Z"), withdrawn},
        known, DeploymentKind::device);
    return subjects(grants, false);
  };
  CHECK(owner(old_one, new_one) == std::vector<std::string>{"rpc.v2.B.Get"});
  CHECK(owner(new_one, old_one) == std::vector<std::string>{"rpc.v1.B.Get"});
}

TEST_CASE("a need wins over a provided surface of the same key") {
  const auto target = contract("b@v1", rpc("B.Get", R"(,"capabilities":{"call":["read"]})"));
  const Surface surface = {"b@v1", SurfaceKind::rpc, "B.Get", SurfaceAction::call};
  DesiredState desired;
  desired.surfaces = {surface};
  CHECK(materialize(desired, {}, {{target}}, DeploymentKind::device).nats[0].source == GrantSource::owned_surface);
  desired.needs.surfaces = {{surface, true}};
  const auto grants = materialize(desired, {}, {{target}}, DeploymentKind::device);
  REQUIRE(grants.nats.size() == 1);
  CHECK(grants.nats[0].source == GrantSource::used_surface);
  CHECK(grants.nats[0].required_capabilities == std::vector<std::string>{"read"});
  CHECK(device_permissions(grants, kSession).publish.empty());
  desired.capabilities = {"read"};
  const auto allowed = materialize(desired, {}, {{target}}, DeploymentKind::device);
  CHECK(device_permissions(allowed, kSession).publish == std::vector<std::string>{"rpc.v1.B.Get"});
}

TEST_CASE("the right to answer lasts only for services that stream") {
  const auto streaming = [](const std::string &members, Surface surface) {
    const auto own = contract("a@v1", members);
    DesiredState desired;
    desired.surfaces = {std::move(surface)};
    return service_permissions(materialize(desired, {offer(own)}, {{own}}, DeploymentKind::service), {}, kSession)
        .response.streaming;
  };
  CHECK(!streaming(rpc("R"), {"a@v1", SurfaceKind::rpc, "R", SurfaceAction::call}));
  CHECK(streaming(rpc("R", R"(,"transfer":{"direction":"receive"})"),
                  {"a@v1", SurfaceKind::rpc, "R", SurfaceAction::call}));
  CHECK(streaming(operation("O"), {"a@v1", SurfaceKind::operation, "O", SurfaceAction::observe}));
  CHECK(streaming(
      R"("feeds":{"F":{"version":"v1","subject":"feeds.v1.F","input":{"schema":"S"},"event":{"schema":"S"}}})",
      {"a@v1", SurfaceKind::feed, "F", SurfaceAction::none}));
}

TEST_CASE("a session's prefix names its inbox, its bucket and its transfers") {
  const auto own = contract("a@v1", rpc("R", R"(,"transfer":{"direction":"receive"})"));
  DesiredState desired;
  desired.surfaces = {{"a@v1", SurfaceKind::rpc, "R", SurfaceAction::call}};
  const auto grants = materialize(desired, {offer(own)}, {{own}}, DeploymentKind::service);
  const auto service = service_permissions(grants, {}, kSession);
  CHECK(contains(service.subscribe, "_INBOX.abcdefghijklmnop.>"));
  CHECK(contains(service.subscribe, "transfer.v1.download.abcdefghijklmnop.*"));
  CHECK(contains(service.publish, "$JS.API.STREAM.CREATE.KV_trellis_operations_abcdefghijklmnop"));
  CHECK(service.response.max == 65535);
  const auto device = device_permissions(grants, kSession);
  CHECK(contains(device.subscribe, "transfer.v1.download.{serviceSessionPrefix}.*"));
  CHECK(device.response.max == 1);
}

TEST_CASE("two job queues share one namespace, and a malformed binding adds nothing") {
  const auto binding = [](const std::string &queue) {
    return R"({"namespace":"N","workStream":"W","publishPrefix":"trellis.jobs.N.)" + queue +
           R"(","workSubject":"trellis.work.N.)" + queue + "\"}";
  };
  const auto permissions = service_permissions({},
                                               {{ResourceKind::jobs, "b", binding("b")},
                                                {ResourceKind::jobs, "a", binding("a")},
                                                {ResourceKind::kv, "k", "{}"},
                                                {ResourceKind::store, "s", "not JSON"}},
                                               kSession);
  CHECK(contains(permissions.publish, "trellis.jobs.N.>"));
  CHECK(contains(permissions.publish, "trellis.work.N.b"));
  CHECK(contains(permissions.subscribe, "trellis.jobs.N.a.*.*"));
  CHECK(!contains(permissions.publish, "$KV..>"));
}

TEST_CASE("only apps and agents are approved, and the own contract describes its capabilities first") {
  CHECK(plan_approval(contract("a@v1", ""), {}).error().code == "kind");
  const auto caps = [](const char *text) {
    return std::string(R"("capabilities":{"k":{"displayName":")") + text + R"(","description":"d"}})";
  };
  const auto event = [](const std::string &name) {
    return R"("events":{")" + name + R"(":{"version":"v1","subject":"events.v1.)" + name +
           R"(","event":{"schema":"S"},"capabilities":{"publish":["k"],"subscribe":["k"]}}})";
  };
  const auto own = contract(
      "a@v1", caps("Own") + "," + event("A") + "," + uses("required", "b", "b@v1", R"("events":{"subscribe":["B"]})"),
      "agent");
  const auto plan = plan_approval(own, {{contract("b@v1", caps("Used") + "," + event("B"))}});
  REQUIRE(plan);
  CHECK(plan->capabilities.at("k").display_name == "Own");
  CHECK(plan->publish_subjects == std::vector<std::string>{"events.v1.A"});
  CHECK(plan->subscribe_subjects == std::vector<std::string>{"events.v1.B"});
}

TEST_CASE("the install check compares with used contracts only, and names the namespaces") {
  const auto own = contract("a@v1", rpc("Svc.Get"));
  CHECK(install_check(own, DeploymentKind::service, {contract("b@v1", rpc("Svc.Get"))}).value() ==
        std::vector<std::string>{"Svc"});
  const auto user = contract("a@v1", rpc("Svc.Get") + "," + uses("optional", "b", "b@v1", R"("feeds":{})"));
  CHECK(install_check(user, DeploymentKind::service, {contract("b@v1", rpc("Svc.Get"))}).error().code ==
        "subject_owned");
  CHECK(install_check(own, DeploymentKind::device, {}).error().code == "kind_mismatch");
  const auto device = contract("a@v1", R"("resources":{})", "device");
  CHECK(install_check(device, DeploymentKind::device, {}).error().code == "device_resources");
  const auto odd = contract(
      "a@v1", R"("rpc":{"X":{"version":"v1","subject":"rpc.v1.","input":{"schema":"S"},"output":{"schema":"S"}}})");
  CHECK(install_check(odd, DeploymentKind::service, {}).error().code == "subject_namespace");
}
