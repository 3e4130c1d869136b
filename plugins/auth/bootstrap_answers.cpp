#include "bootstrap_answers.h"
#include "authority_records.h"
#include "contracts/authority_json.h"
#include "contracts/json.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

// Empty when `error` is no dependency error (02 §2.1).
std::string_view dependency_reason(const Error &error) {
  if (error.code == "dependency_inactive") return "dependency_not_active";
  if (error.code == "dependency_unknown") return "unknown";
  if (error.code == "dependency_missing") return "missing";
  return {};
}

JsonObjectText reconciliation_failure(std::string_view reason, std::string_view message,
                                      const BootstrapSubject &subject, const Authority &authority,
                                      const std::optional<Materialization> &materialization) {
  JsonObjectText out = failure(reason, message, subject);
  out.text("desiredVersion", authority.version);
  if (materialization)
    out.text("materializedDesiredVersion", materialization->desired_version)
        .text("materializedStatus", materialization->status);
  return out;
}

std::string connect_info(const Manifest &contract, const ReadyFacts &facts) {
  return JsonObjectText()
      .text("sessionKey", facts.session_key)
      .text("contractId", contract.id())
      .text("contractDigest", contract.digest())
      .json("transports", facts.transports_json)
      .json("transport", JsonObjectText().json("sentinel", facts.sentinel_json).str())
      .json("auth", JsonObjectText().text("mode", "service_identity").number("iatSkewSeconds", 30).str())
      .str();
}

std::string described(const Manifest &contract) {
  JsonObjectText out;
  out.text("id", contract.id()).text("digest", contract.digest());
  out.text("displayName", contract.model().display_name).text("description", contract.model().description);
  if (const auto document = parse_json(contract.normalized()))
    for (const char *name : {"jobs", "resources"})
      if (const JsonValue *section = find_member(*document, name)) out.json(name, to_json(*section));
  return out.str();
}

} // namespace

JsonObjectText failure(std::string_view reason, std::string_view message, const BootstrapSubject &subject) {
  JsonObjectText out;
  out.text("reason", reason).text("message", message);
  if (!subject.instance_id.empty()) out.text("instanceId", subject.instance_id);
  if (!subject.deployment_id.empty()) out.text("deploymentId", subject.deployment_id);
  if (!subject.contract_id.empty()) out.text("contractId", subject.contract_id);
  if (!subject.contract_digest.empty()) out.text("contractDigest", subject.contract_digest);
  return out;
}

BootstrapAnswer analysis_failure(const BootstrapSubject &subject, const Error &error) {
  const std::string_view reason = dependency_reason(error);
  if (reason.empty())
    return {409, failure("contract_catalog_issue", "The contract doesn't fit what is known.", subject)
                     .text("catalogError", error.text())
                     .str()};
  JsonObjectText out = failure("contract_activation_pending", "The contract waits for one that it uses.", subject);
  out.text("dependencyAlias", error.detail("alias")).text("dependencyContractId", error.detail("contractId"));
  out.text("dependencySurface", error.detail("surface")).text("dependencyReason", reason);
  out.text("dependencyMessage", error.message);
  if (!error.detail("key").empty()) out.text("dependencyKey", error.detail("key"));
  return {202, out.str()};
}

BootstrapAnswer presented_invalid(const BootstrapSubject &subject, std::string_view problem) {
  return {409, failure("presented_contract_invalid", "The presented contract can't be used.", subject)
                   .text("contractError", problem)
                   .str()};
}

BootstrapAnswer incompatible_answer(const BootstrapSubject &subject, const Plan &plan, std::string_view version,
                                    std::string_view latest_digest, bool mutable_dev) {
  return {202, failure("authority_migration_required",
                       "The contract isn't compatible with the one that the deployment runs.", subject)
                   .text("latestAcceptedContractDigest", latest_digest)
                   .text("compatibilityMode", mutable_dev ? "mutable-dev" : "strict")
                   .text("planId", plan.plan_id)
                   .text("desiredVersion", version)
                   .text("classification", "migration")
                   .json("desiredChange", needs_json(plan.desired_change))
                   .str()};
}

BootstrapAnswer plan_answer(const BootstrapSubject &subject, const Plan &plan, std::string_view version,
                            const Fit &fit) {
  std::vector<std::string> missing = fit.missing_capabilities;
  std::ranges::sort(missing);
  return {202, failure(fit.migration ? "authority_migration_required" : "authority_update_required",
                       "An administrator has to accept a plan for this contract.", subject)
                   .text("planId", plan.plan_id)
                   .text("desiredVersion", version)
                   .text("classification", fit.migration ? "migration" : "update")
                   .json("desiredChange", needs_json(in_wire_order(fit.desired_change)))
                   .json("missingAvailability", needs_json(in_wire_order(fit.missing_availability)))
                   .texts("missingCapabilities", missing)
                   .str()};
}

std::optional<BootstrapAnswer> unusable(const BootstrapSubject &subject, const Authority &authority,
                                        const std::optional<Materialization> &materialization) {
  if (!materialization || materialization->desired_version != authority.version || materialization->status == "pending")
    return BootstrapAnswer{202, reconciliation_failure("authority_reconciliation_pending",
                                                       "The deployment isn't reconciled yet.", subject, authority,
                                                       materialization)
                                    .str()};
  if (materialization->status != "failed") return std::nullopt;
  JsonObjectText out = reconciliation_failure("authority_reconciliation_failed", "The deployment can't be reconciled.",
                                              subject, authority, materialization);
  if (materialization->error) out.text("reconciliationError", *materialization->error);
  return BootstrapAnswer{202, out.str()};
}

BootstrapAnswer not_reconciled(const BootstrapSubject &subject, std::string_view version, const Error &error) {
  return {202, failure("authority_reconciliation_pending", "The deployment isn't reconciled yet.", subject)
                   .text("desiredVersion", version)
                   .text("err", error.text())
                   .str()};
}

BootstrapAnswer ready_answer(const Manifest &contract, const ReadyFacts &facts) {
  const std::string binding = JsonObjectText()
                                  .text("contractId", contract.id())
                                  .text("digest", contract.digest())
                                  .json("resources", facts.bound_resources_json)
                                  .str();
  return {200, JsonObjectText()
                   .text("status", "ready")
                   .number("serverNow", facts.now_seconds)
                   .json("connectInfo", connect_info(contract, facts))
                   .json("contract", described(contract))
                   .json("binding", binding)
                   .str()};
}

BootstrapAnswer internal_failure() {
  return {500, JsonObjectText().text("error", "Internal Server Error").str()};
}

} // namespace trellis::auth
