#include "provision_control_plane.h"
#include "authority_cases.h"
#include "contracts/json_write.h"
#include "jetstream_resources.h"
#include "output.h"
#include "platform_streams.h"
#include "store/deployments.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis::vectors {
namespace {

using namespace trellis::auth;

const Decider kDecider{R"({"type":"user","participantKind":"agent","userId":"usr_1","identity":{}})", "usr_1"};

// An active offer of a service that isn't part of the case.
void put_provider(Writer &db, const Manifest &contract, std::int64_t now) {
  Offer offer;
  offer.deployment_id = "known." + contract.digest();
  offer.instance_id = "svc_" + contract.digest().substr(0, 22);
  offer.lineage_key = offer_lineage(offer.deployment_id, contract.id());
  offer.contract_id = contract.id();
  offer.contract_digest = contract.digest();
  offer.offer_id = offer_id_of(offer.deployment_id, *offer.instance_id, contract.id(), contract.digest());
  offer.first_offered_at = now;
  offer.accepted_at = offer.last_refreshed_at = now;
  ServiceDeployment deployment;
  deployment.deployment_id = offer.deployment_id;
  put_service_deployment(db, deployment);
  put_offer(db, offer);
}

} // namespace

std::vector<std::pair<std::string, std::string>> listed(JetStream &jetstream, const std::string &what,
                                                        const std::string &stream) {
  const bool streams = what == "STREAM";
  std::vector<std::pair<std::string, std::string>> out;
  for (std::int64_t total = 1; static_cast<std::int64_t>(out.size()) < total;) {
    const auto page =
        value_of(jetstream.api(streams ? "STREAM.LIST" : "CONSUMER.LIST." + stream,
                               JsonObjectText().number("offset", static_cast<std::int64_t>(out.size())).str()),
                 "list");
    const JsonValue *count = find_member(page, "total");
    total = count && count->IsInt64() ? count->GetInt64() : 0;
    const JsonValue *items = find_member(page, streams ? "streams" : "consumers");
    if (!items || !items->IsArray() || items->Empty()) break;
    for (const JsonValue &item : items->GetArray()) {
      out.emplace_back(string_member(streams ? item["config"] : item, "name"), to_json(item["config"]));
    }
  }
  std::ranges::sort(out, {}, &std::pair<std::string, std::string>::first);
  return out;
}

ProvisionControlPlane::ProvisionControlPlane(NatsTransport &nats, bool event_stream, const JsonValue &known_contracts)
    : jetstream_(nats), domain_(builtin()),
      authority_(domain_.core, domain_.connections,
                 std::make_unique<JetStreamResources>(nats, domain_.system, 1, domain_.core.log),
                 R"({"jwt":"j","seed":"s"})", R"({"native":{"natsServers":["n"]}})") {
  for (const auto &[stream, config] : listed(jetstream_, "STREAM"))
    if (const auto removed = jetstream_.delete_stream(stream); !removed)
      throw std::runtime_error(removed.error().text());
  if (event_stream)
    (void)value_of(jetstream_.create_stream(kEventStream, R"({"name":"trellis","subjects":["events.>"]})"), "trellis");
  know(known_contracts);
}

void ProvisionControlPlane::know(const JsonValue &known_contracts) {
  for (const JsonValue &entry : known_contracts.GetArray()) {
    const Manifest contract = valid(entry["manifest"]);
    if (string_member(entry, "digest") != contract.digest())
      throw std::runtime_error("digest of " + contract.id() + " is " + contract.digest());
    const JsonValue *active = find_member(entry, "active");
    const bool is_active = !active || active->IsTrue();
    domain_.change([&](Writer &db) {
      domain_.catalog.store(db, contract, domain_.now);
      if (is_active) put_provider(db, contract, domain_.now);
    });
  }
}

JsonDocument ProvisionControlPlane::request(const std::string &what, const Result<std::string> &answer) const {
  return value_of(parse_json(value_of(answer, what)), what);
}

// One instance a deployment; its key is any text of the right length.
void ProvisionControlPlane::create_deployment(const std::string &deployment) {
  std::string &key = deployments_[deployment] = "instance" + std::to_string(deployments_.size());
  key.resize(43, '-');
  request("deployment",
          authority_.create_deployment(
              JsonObjectText().text("kind", "service").text("deploymentId", deployment).texts("namespaces", {}).str(),
              kDecider));
  request("instance",
          authority_.provision_instance(
              JsonObjectText().text("deploymentId", deployment).text("instanceKey", deployments_.at(deployment)).str(),
              kDecider));
}

std::string ProvisionControlPlane::accept_plan(const std::string &deployment, const Manifest &contract) {
  const auto reply = request("plan", authority_.plan(JsonObjectText()
                                                         .text("deploymentId", deployment)
                                                         .json("contract", contract.normalized())
                                                         .text("expectedDigest", contract.digest())
                                                         .str(),
                                                     kDecider));
  std::string classification(string_member(reply["plan"], "classification"));
  const bool migration = classification == "migration";
  JsonObjectText input;
  input.text("planId", string_member(reply["plan"], "planId"));
  if (migration) input.text("acknowledgement", "ok");
  request("accept", authority_.accept(input.str(), migration, kDecider));
  return classification;
}

// 200: the binding without its digest, which the contract tells; 202: the reason.
JsonDocument ProvisionControlPlane::bootstrap(const std::string &deployment, const Manifest &contract) {
  const auto answer = authority_.bootstrap(JsonObjectText()
                                               .text("sessionKey", deployments_.at(deployment))
                                               .text("contractId", contract.id())
                                               .text("contractDigest", contract.digest())
                                               .json("contract", contract.normalized())
                                               .number("iat", domain_.now / 1000)
                                               .text("sig", std::string(86, 'A'))
                                               .str(),
                                           true);
  const JsonDocument body = value_of(parse_json(answer.body), "bootstrap");
  Output out;
  out.number("status", answer.status);
  if (answer.status != 200) return out.text("reason", string_member(body, "reason")).take();
  Output binding;
  binding.text("contractId", string_member(body["binding"], "contractId"));
  binding.json("resources", body["binding"]["resources"]);
  return out.json("binding", std::move(binding)).take();
}

JsonDocument ProvisionControlPlane::run(const JsonValue &round) {
  domain_.now += 10;
  const std::string deployment(string_member(round, "deploymentId"));
  const Manifest contract = valid(round["contract"]);
  if (!deployments_.contains(deployment)) create_deployment(deployment);
  Output out;
  out.text("classification", accept_plan(deployment, contract));
  out.json("bootstrap", bootstrap(deployment, contract));
  const auto materialized =
      value_of(domain_.db->read([&](Reader &db) { return find_materialization(db, deployment); }), "materialization");
  if (!materialized) throw std::runtime_error("the deployment isn't materialized");
  Output bindings(rapidjson::kArrayType);
  for (const StoredBinding &binding : materialized->bindings) {
    Output stored;
    stored.text("kind", binding.kind).text("alias", binding.alias);
    bindings.push(std::move(
        stored.json("binding", value_of(parse_json(binding.binding), "binding")).json("limits", JsonValue())));
  }
  out.text("materializedStatus", materialized->status).json("storedBindings", std::move(bindings));
  Output streams, consumers;
  for (const auto &[stream, config] : listed(jetstream_, "STREAM")) {
    if (stream != kEventStream) streams.json(stream, value_of(parse_json(config), stream));
    for (const auto &[consumer, consumer_config] : listed(jetstream_, "CONSUMER", stream))
      consumers.json(stream + "/" + consumer, value_of(parse_json(consumer_config), consumer));
  }
  return out.json("streams", std::move(streams)).json("consumers", std::move(consumers)).take();
}

} // namespace trellis::vectors
