#include "authority_testing.h"
#include "builtin_contracts.h"
#include "jetstream_resources.h"
#include <rapidjson/document.h>
#include <stdexcept>

namespace trellis::auth::testing {
namespace {

template <class T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return std::move(*result);
}

// A service with one rpc; `out` is the type of its answer's member, `more` further members of the manifest.
Manifest service(std::string_view id, std::string_view name, std::string_view out, std::string_view more = {},
                 std::string_view kind = "service") {
  const std::string rpc = JsonObjectText()
                              .text("version", "v1")
                              .text("subject", "rpc.v1." + std::string(name))
                              .json("input", R"({"schema":"In"})")
                              .json("output", R"({"schema":"Out"})")
                              .str();
  JsonObjectText manifest;
  manifest.text("format", "trellis.contract.v1").text("id", id).text("displayName", id).text("description", "d");
  manifest.text("kind", kind);
  manifest.json("schemas",
                R"({"In":{"type":"object"},"Out":{"type":"object","required":["m"],"properties":{"m":{"type":")" +
                    std::string(out) + R"("}}}})");
  manifest.json("rpc", JsonObjectText().json(name, rpc).str());
  std::string text = manifest.str();
  if (!more.empty()) text.insert(text.size() - 1, "," + std::string(more));
  return value_of(Manifest::parse(text));
}

Manifest app_contract() {
  return value_of(Manifest::parse(R"({"format":"trellis.contract.v1","id":"acme.app@v1","displayName":"App",
    "description":"d","kind":"app"})"));
}

} // namespace

std::string key_of(std::string_view label) {
  std::string key(label);
  key.resize(43, '-');
  return key;
}

std::string Answer::text(std::string_view member) const {
  const auto document = parse_json(body);
  return document ? std::string(string_member(*document, member)) : std::string();
}

ControlPlane::ControlPlane(Transport *trellis)
    : domain(value_of(builtin_contracts())),
      authority(
          domain.core, domain.connections,
          std::make_unique<JetStreamResources>(trellis ? *trellis : domain.trellis, domain.system, 1, domain.core.log),
          "{}", "{}"),
      orders(service("acme.orders@v1", "Orders.Get", "string")),
      orders_changed(service("acme.orders@v1", "Orders.Get", "integer")),
      rival(service("acme.rival@v1", "Orders.Get", "string")), app(app_contract()),
      stolen_id(service("trellis.core@v1", "Orders.Get", "string")),
      stolen_subject(service("acme.thief@v1", "Auth.Requests.Validate", "string")),
      with_store(service("acme.files@v1", "Files.Get", "string", R"("resources":{"store":{"files":{"purpose":"p"}}})")),
      with_cache(service("acme.cache@v1", "Cache.Get", "string",
                         R"("resources":{"kv":{"cache":{"purpose":"p","schema":{"schema":"Out"}}}})")) {}

void ControlPlane::deploy(std::string_view deployment, std::string_view mode) {
  (void)value_of(authority.create_deployment(JsonObjectText()
                                                 .text("kind", "service")
                                                 .text("deploymentId", deployment)
                                                 .texts("namespaces", {})
                                                 .text("contractCompatibilityMode", mode)
                                                 .str(),
                                             admin));
}

void ControlPlane::provision(std::string_view deployment, std::string_view instance) {
  (void)value_of(authority.provision_instance(
      JsonObjectText().text("deploymentId", deployment).text("instanceKey", key_of(instance)).str(), admin));
}

Answer ControlPlane::bootstrap(std::string_view instance, const Manifest &contract,
                               const std::optional<BoundArtifact> &artifact) {
  domain.now += 1;
  const auto answer = authority.bootstrap(JsonObjectText()
                                              .text("sessionKey", key_of(instance))
                                              .text("contractId", contract.id())
                                              .text("contractDigest", contract.digest())
                                              .json("contract", contract.normalized())
                                              .number("iat", domain.now / 1000)
                                              .text("sig", std::string(86, 'A'))
                                              .str(),
                                          true, artifact);
  return {answer.status, answer.body};
}

std::string ControlPlane::plan(std::string_view deployment, const Manifest &contract) {
  domain.now += 1;
  const auto reply = value_of(parse_json(value_of(authority.plan(JsonObjectText()
                                                                     .text("deploymentId", deployment)
                                                                     .json("contract", contract.normalized())
                                                                     .text("expectedDigest", contract.digest())
                                                                     .str(),
                                                                 admin))));
  const JsonValue *plan = find_member(reply, "plan");
  return plan ? std::string(string_member(*plan, "planId")) : std::string();
}

Result<std::string> ControlPlane::accept(std::string_view plan_id) {
  const auto plan = read([&](Reader &db) { return find_plan(db, plan_id); });
  const bool migration = plan && plan->migration;
  JsonObjectText input;
  input.text("planId", plan_id);
  if (migration) input.text("acknowledgement", "ok");
  return authority.accept(input.str(), migration, admin);
}

void ControlPlane::make_ready(std::string_view deployment, std::string_view instance, const Manifest &contract) {
  (void)value_of(accept(plan(deployment, contract)));
  const Answer answer = bootstrap(instance, contract);
  if (answer.status != 200) throw std::runtime_error(answer.body);
}

Result<std::string> ControlPlane::set_disabled(std::string_view deployment, bool disabled) {
  return authority.set_deployment_disabled(
      JsonObjectText().text("kind", "service").text("deploymentId", deployment).str(), disabled, admin);
}

std::string ControlPlane::version(std::string_view deployment) {
  const auto found = read([&](Reader &db) { return find_authority(db, deployment); });
  return found ? found->version : "";
}

int ControlPlane::audited(std::string_view action, std::string_view actor) {
  domain.settle();
  return static_cast<int>(read([&](Reader &db) {
    auto row = db.query("SELECT count(*) FROM audit WHERE action = ?1 AND (?2 = '' OR actor = ?2)", {action, actor});
    row.next();
    return row.integer(0);
  }));
}

} // namespace trellis::auth::testing
