#include "authority_flow.h"
#include "authority_cases.h"
#include "contracts/authority_json.h"
#include "contracts/json_write.h"
#include "jetstream_resources.h"
#include "nats/nats_test_support.h"
#include "output.h"
#include "store/deployments.h"
#include "wire/session_key.h"
#include <algorithm>
#include <stdexcept>

namespace trellis::vectors {
namespace {

using namespace trellis::auth;

JsonDocument parsed(const std::string &text) {
  return value_of(parse_json(text), "reply");
}

std::string text_at(const JsonValue &object, std::string_view name) {
  return std::string(string_member(object, name));
}

// The instance's session key: its label padded with "-".
std::string key_of(const JsonValue &step) {
  std::string key = text_at(step, "instance");
  key.resize(43, '-');
  return key;
}

Output of_error(const Error &error) {
  Output out;
  if (error.code == "validation") {
    out.text("type", "ValidationError").text("path", error.where);
  } else if (error.code == "auth") {
    out.text("type", "AuthError").text("reason", error.where);
  } else {
    out.text("type", "UnexpectedError").text("cause", error.text());
  }
  return out;
}

JsonDocument failed(const Error &error) {
  return Output().flag("ok", false).json("error", of_error(error)).take();
}

JsonDocument succeeded(const Result<std::string> &outcome) {
  if (!outcome) return failed(outcome.error());
  return Output().flag("ok", true).take();
}

void copy_members(Output &out, const JsonValue &from, std::initializer_list<const char *> names) {
  for (const char *name : names)
    if (const JsonValue *value = find_member(from, name)) out.json(name, *value);
}

const Decider kDecider{R"({"type":"user","participantKind":"agent","userId":"usr_1","identity":{}})", "usr_1"};

} // namespace

void BreakableTransport::request(const Outbound &message, std::chrono::milliseconds timeout, OnReply on_reply) {
  if (broken_) return on_reply(fail(transport_error::kTimeout, std::string(message.subject), "broken for this test"));
  inner_.request(message, timeout, std::move(on_reply));
}

FlowControlPlane::FlowControlPlane(const JsonValue &contracts)
    : domain_(builtin()), loop_(test::start_loop()), nats_(test::open_connected(*loop_, server_.url())),
      trellis_(*nats_), authority_(domain_.core, domain_.connections,
                                   std::make_unique<JetStreamResources>(trellis_, domain_.system, 1, domain_.core.log),
                                   R"({"jwt":"j","seed":"s"})", R"({"native":{"natsServers":["n"]}})") {
  for (const auto &entry : contracts.GetObject()) {
    const auto manifest = Manifest::validate(entry.value);
    contracts_.push_back({std::string(text_of(entry.name)), to_json(entry.value), text_at(entry.value, "id"),
                          manifest ? manifest->digest() : ""});
  }
}

FlowControlPlane::~FlowControlPlane() = default;

JsonDocument FlowControlPlane::run(const JsonValue &step) {
  using Operation = JsonDocument (FlowControlPlane::*)(const JsonValue &);
  static const std::map<std::string_view, Operation> kOperations = {
      {"deploy", &FlowControlPlane::deploy},
      {"instance", &FlowControlPlane::provision},
      {"bootstrap", &FlowControlPlane::bootstrap},
      {"plan", &FlowControlPlane::plan},
      {"accept", &FlowControlPlane::accept},
      {"reject", &FlowControlPlane::reject},
      {"reconcile", &FlowControlPlane::reconcile},
      {"disable", &FlowControlPlane::disable},
      {"plans", &FlowControlPlane::plans},
      {"offers", &FlowControlPlane::offers},
      {"catalog", &FlowControlPlane::catalog},
      {"surfaceStatus", &FlowControlPlane::surface_status},
      {"permissions", &FlowControlPlane::permissions},
      {"breakResources", &FlowControlPlane::break_resources},
  };
  const auto operation = kOperations.find(string_member(step, "op"));
  if (operation == kOperations.end()) throw std::runtime_error("unknown op " + text_at(step, "op"));
  domain_.now += 10; // so that times tell the order
  return (this->*operation->second)(step);
}

JsonDocument FlowControlPlane::deploy(const JsonValue &step) {
  JsonObjectText input;
  input.text("kind", "service").text("deploymentId", text_at(step, "deployment")).texts("namespaces", {});
  if (const JsonValue *mode = find_member(step, "mode")) input.text("contractCompatibilityMode", text_of(*mode));
  return succeeded(authority_.create_deployment(input.str(), kDecider));
}

JsonDocument FlowControlPlane::provision(const JsonValue &step) {
  const std::string input =
      JsonObjectText().text("deploymentId", text_at(step, "deployment")).text("instanceKey", key_of(step)).str();
  return succeeded(authority_.provision_instance(input, kDecider));
}

const FlowControlPlane::Contract &FlowControlPlane::contract(const JsonValue &step) const {
  const auto found = std::ranges::find(contracts_, text_at(step, "contract"), &Contract::label);
  if (found == contracts_.end()) throw std::runtime_error("no contract " + text_at(step, "contract"));
  return *found;
}

std::string FlowControlPlane::label_of(std::string_view digest) const {
  const auto found = std::ranges::find(contracts_, digest, &Contract::digest);
  return found == contracts_.end() ? "?" + std::string(digest) : found->label;
}

std::string FlowControlPlane::plan_label(std::string_view plan_id) {
  auto found = std::ranges::find(plan_ids_, plan_id);
  if (found == plan_ids_.end()) found = plan_ids_.insert(plan_ids_.end(), std::string(plan_id));
  return "plan" + std::to_string(found - plan_ids_.begin() + 1);
}

std::string FlowControlPlane::plan_id(std::string_view label) const {
  for (std::size_t i = 0; i < plan_ids_.size(); ++i)
    if ("plan" + std::to_string(i + 1) == label) return plan_ids_[i];
  return std::string(label);
}

JsonDocument FlowControlPlane::bootstrap(const JsonValue &step) {
  const Contract &presented = contract(step);
  JsonDocument body(rapidjson::kObjectType);
  auto &memory = body.GetAllocator();
  const auto set = [&](std::string_view name, const JsonValue &value) {
    JsonValue key(name.data(), static_cast<rapidjson::SizeType>(name.size()), memory);
    body.EraseMember(key);
    body.AddMember(key, JsonValue(value, memory), memory);
  };
  const auto set_text = [&](std::string_view name, std::string_view text) {
    set(name, JsonValue(text.data(), static_cast<rapidjson::SizeType>(text.size()), memory));
  };
  set_text("sessionKey", key_of(step));
  set_text("contractId", presented.id);
  set_text("contractDigest", presented.digest.empty() ? "invalid" : presented.digest);
  set("contract", parsed(presented.text));
  set("iat", JsonValue(domain_.now / 1000));
  set_text("sig", std::string(86, 'A'));
  if (const JsonValue *over = find_member(step, "over"))
    for (const auto &change : over->GetObject()) {
      const std::string_view name = text_of(change.name);
      if (name == "noManifest") {
        if (change.value.IsTrue()) body.RemoveMember("contract");
      } else if (name == "contractDigest" || name == "contractId") {
        set(name, change.value);
      } else if (name == "body") {
        for (const auto &member : change.value.GetObject())
          set(text_of(member.name), member.value);
      } else {
        throw std::runtime_error("unknown member over." + std::string(name));
      }
    }
  const auto answer = authority_.bootstrap(to_json(body), true);
  const JsonDocument reply = parsed(answer.body);
  Output out;
  out.number("status", answer.status);
  copy_members(out, reply,
               {"reason", "classification", "desiredChange", "missingAvailability", "missingCapabilities", "binding",
                "compatibilityMode", "materializedStatus", "dependencyReason", "dependencySurface", "dependencyAlias",
                "dependencyContractId", "dependencyKey"});
  if (const JsonValue *status = find_member(reply, "status")) out.json("bodyStatus", *status);
  if (const JsonValue *id = find_member(reply, "planId")) out.text("plan", plan_label(text_of(*id)));
  return out.take();
}

JsonDocument FlowControlPlane::plan(const JsonValue &step) {
  const Contract &proposed = contract(step);
  const std::string input = JsonObjectText()
                                .text("deploymentId", text_at(step, "deployment"))
                                .json("contract", proposed.text)
                                .text("expectedDigest", string_member(step, "expectedDigest", proposed.digest))
                                .str();
  const auto outcome = authority_.plan(input, kDecider);
  if (!outcome) return failed(outcome.error());
  const JsonDocument reply = parsed(*outcome);
  const JsonValue &made = reply["plan"];
  Output out;
  out.flag("ok", true).text("plan", plan_label(text_at(made, "planId")));
  copy_members(out, made, {"classification", "desiredChange"});
  copy_members(out, made["proposal"], {"providedSurfaces"});
  return out.take();
}

JsonDocument FlowControlPlane::stored_plan(const std::string &plan_id) {
  const auto outcome = authority_.get_plan(JsonObjectText().text("planId", plan_id).str());
  return outcome ? parsed(*outcome) : JsonDocument(rapidjson::kObjectType);
}

JsonDocument FlowControlPlane::decided(const Result<std::string> &outcome, const std::string &plan_id) {
  Output out;
  out.flag("ok", outcome.has_value());
  if (!outcome) out.json("error", of_error(outcome.error()));
  const JsonDocument stored = stored_plan(plan_id);
  if (const JsonValue *plan = find_member(stored, "plan")) copy_members(out, *plan, {"state", "decisionReason"});
  return out.take();
}

JsonDocument FlowControlPlane::accept(const JsonValue &step) {
  const std::string id = plan_id(text_at(step, "plan"));
  const JsonDocument stored = stored_plan(id);
  const JsonValue *plan = find_member(stored, "plan");
  const bool migration = plan && string_member(*plan, "classification") == "migration";
  JsonObjectText input;
  input.text("planId", id);
  if (migration) input.text("acknowledgement", string_member(step, "reason", "ok"));
  return decided(authority_.accept(input.str(), migration, kDecider), id);
}

JsonDocument FlowControlPlane::reject(const JsonValue &step) {
  const std::string id = plan_id(text_at(step, "plan"));
  JsonObjectText input;
  input.text("planId", id);
  if (const JsonValue *reason = find_member(step, "reason")) input.text("reason", text_of(*reason));
  return decided(authority_.reject(input.str(), kDecider), id);
}

JsonDocument FlowControlPlane::reconcile(const JsonValue &step) {
  trellis_.set_broken(false); // what breakResources broke stays broken until somebody reconciles
  JsonObjectText input;
  input.text("deploymentId", text_at(step, "deployment"));
  if (const JsonValue *version = find_member(step, "desiredVersion")) input.text("desiredVersion", text_of(*version));
  const auto outcome = authority_.reconcile(input.str(), kDecider);
  if (!outcome) return failed(outcome.error());
  const JsonDocument reply = parsed(*outcome);
  Output out;
  copy_members(out, reply["materializedAuthority"], {"status"});
  copy_members(out, reply["reconciliation"], {"state"});
  return out.take();
}

JsonDocument FlowControlPlane::disable(const JsonValue &step) {
  const std::string input =
      JsonObjectText().text("kind", "service").text("deploymentId", text_at(step, "deployment")).str();
  return succeeded(authority_.set_deployment_disabled(input, true, kDecider));
}

JsonDocument FlowControlPlane::plans(const JsonValue &step) {
  JsonObjectText input;
  input.number("limit", 500);
  if (const JsonValue *filter = find_member(step, "filter"))
    for (const auto &member : filter->GetObject())
      input.json(text_of(member.name), to_json(member.value));
  const auto outcome = authority_.list_plans(input.str());
  if (!outcome) return failed(outcome.error());
  const JsonDocument reply = parsed(*outcome);
  Output list(rapidjson::kArrayType);
  for (const JsonValue &plan : reply["entries"].GetArray()) {
    Output item;
    copy_members(item, plan, {"classification", "state", "decisionReason"});
    copy_members(item, plan["proposal"]["summary"], {"compatibilityMigration"});
    list.push(std::move(item));
  }
  Output out;
  copy_members(out, reply, {"count"});
  out.json("plans", std::move(list));
  return out.take();
}

JsonDocument FlowControlPlane::offers(const JsonValue &step) {
  const auto listed = domain_.db->read([&](Reader &db) {
    Output list(rapidjson::kArrayType);
    for (const Offer &offer : offers_of_deployment(db, string_member(step, "deployment"))) {
      const auto instance = find_service_instance(db, offer.instance_id.value_or(""));
      std::string label = instance ? instance->instance_key : "?";
      label.erase(label.find_last_not_of('-') + 1);
      list.push(std::move(Output()
                              .text("contract", label_of(offer.contract_digest))
                              .text("instance", label)
                              .text("status", offer.status)
                              .text("liveness", offer.liveness)
                              .flag("stale", offer.stale_at && *offer.stale_at <= domain_.now)));
    }
    return list.take();
  });
  if (!listed) return failed(listed.error());
  return Output().json("offers", *listed).take();
}

JsonDocument FlowControlPlane::catalog(const JsonValue &) {
  const auto outcome = authority_.catalog();
  if (!outcome) return failed(outcome.error());
  const JsonDocument reply = parsed(*outcome);
  Output contracts(rapidjson::kArrayType), issues(rapidjson::kArrayType);
  for (const JsonValue &entry : reply["catalog"]["contracts"].GetArray())
    if (!domain_.catalog.is_builtin(string_member(entry, "id")))
      contracts.push(std::move(
          Output().text("id", string_member(entry, "id")).text("contract", label_of(string_member(entry, "digest")))));
  for (const JsonValue &issue : reply["catalog"]["issues"].GetArray()) {
    Output item;
    copy_members(item, issue, {"kind", "contractId", "deploymentIds"});
    if (const JsonValue *digest = find_member(issue, "digest")) item.text("contract", label_of(text_of(*digest)));
    std::vector<std::string> actions;
    for (const JsonValue &action : issue["actions"].GetArray())
      actions.push_back(text_at(action, "action"));
    issues.push(std::move(item.texts("actions", actions)));
  }
  return Output().json("contracts", std::move(contracts)).json("issues", std::move(issues)).take();
}

JsonDocument FlowControlPlane::surface_status(const JsonValue &step) {
  JsonObjectText caller;
  caller.text("type", "user");
  const JsonValue *capabilities = find_member(step, "capabilities");
  caller.json("capabilities", capabilities ? to_json(*capabilities) : "[]");
  const auto outcome = authority_.surface_status(to_json(step["request"]), caller.str());
  if (!outcome) return failed(outcome.error());
  const JsonDocument reply = parsed(*outcome);
  Output out;
  copy_members(out, reply, {"status"});
  return out.take();
}

JsonDocument FlowControlPlane::permissions(const JsonValue &step) {
  const auto materialized =
      domain_.db->read([&](Reader &db) { return find_materialization(db, string_member(step, "deployment")); });
  if (!materialized || !*materialized) throw std::runtime_error("the deployment isn't materialized");
  std::vector<BindingRef> bindings;
  for (const StoredBinding &binding : (*materialized)->bindings)
    bindings.push_back({resource_kind_of(binding.kind).value(), binding.alias, binding.binding});
  const Permissions issued = service_permissions((*materialized)->grants, bindings, key_of(step));
  const auto plain = [](std::vector<std::string> subjects) {
    std::erase_if(subjects, [](const std::string &subject) { return subject.starts_with('$'); });
    return subjects;
  };
  return Output().texts("publishAllow", plain(issued.publish)).texts("subscribeAllow", plain(issued.subscribe)).take();
}

JsonDocument FlowControlPlane::break_resources(const JsonValue &) {
  trellis_.set_broken(true);
  return Output().flag("ok", true).take();
}

} // namespace trellis::vectors
