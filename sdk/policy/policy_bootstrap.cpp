#include "policy/policy_bootstrap.h"
#include "contracts/canonical.h"
#include "contracts/health_contract.h"
#include "contracts/json.h"
#include "contracts/subject_guard.h"
#include "policy/policy_bootstrap_answers.h"
#include "wire/proof.h"
#include "wire/session_key.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis {
namespace {

constexpr char kProofDomain[] = "nats-connect";
constexpr char kDeployment[] = "static"; // the one deployment of a static policy
constexpr JsonLimits kRequestLimits{std::size_t{8} << 20, 512};

std::string proof_value(std::string_view iat, std::string_view digest) {
  return std::string(iat) + ":" + std::string(digest);
}

struct BootstrapRequest {
  JsonDocument document; // owns the text of the views
  std::string_view session_key, contract_id, contract_digest, signature;
  double iat = 0;
  const JsonValue *contract = nullptr;
};

bool is_digest_text(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

PolicyAnswer bare_refusal(std::string_view reason) {
  return {400, JsonObjectText().text("reason", reason).str()};
}

// Step 1 of 04 §7.
tl::expected<BootstrapRequest, PolicyAnswer> parse_request(std::string_view text, std::int64_t now) {
  auto document = parse_json(text, kRequestLimits);
  if (!document) return tl::unexpected(PolicyAnswer{400, JsonObjectText().text("error", "Invalid JSON body").str()});
  BootstrapRequest request;
  request.document = std::move(*document);
  request.session_key = string_member(request.document, "sessionKey");
  request.contract_id = string_member(request.document, "contractId");
  request.contract_digest = string_member(request.document, "contractDigest");
  request.signature = string_member(request.document, "sig");
  request.contract = find_member(request.document, "contract");
  const JsonValue *iat = find_member(request.document, "iat");
  if (!is_session_key_text(request.session_key) || request.contract_id.empty() ||
      !is_digest_text(request.contract_digest) || !is_signature_text(request.signature) || !iat || !iat->IsNumber())
    return tl::unexpected(bare_refusal("invalid_request"));
  request.iat = iat->GetDouble();
  if (!is_fresh(now, request.iat))
    return tl::unexpected(
        PolicyAnswer{400, JsonObjectText().text("reason", "iat_out_of_range").number("serverNow", now).str()});
  const std::string value = proof_value(ecmascript_number(request.iat), request.contract_digest);
  if (!verify_domain(request.session_key, kProofDomain, value, request.signature))
    return tl::unexpected(bare_refusal("invalid_signature"));
  return request;
}

const Manifest *find_digest(const std::vector<Manifest> &known, std::string_view digest) {
  const auto found = std::ranges::find(known, digest, &Manifest::digest);
  return found == known.end() ? nullptr : &*found;
}

bool is_dependency_error(const Error &error) {
  return error.code == "dependency_inactive" || error.code == "dependency_unknown" ||
         error.code == "dependency_missing";
}

std::vector<const Manifest *> pointers_to(const std::vector<Manifest> &contracts) {
  std::vector<const Manifest *> out;
  for (const Manifest &contract : contracts)
    out.push_back(&contract);
  return out;
}

// The rest of 04 §7, for one request that is well-formed and signed. Each step answers or lets the next one decide.
class Decider {
public:
  Decider(const PolicyFacts &facts, const BootstrapRequest &request, const ArtifactFacts &artifact)
      : facts_(facts), request_(request),
        artifact_(artifact), context_{service_instance_id(request.session_key), kDeployment,
                                      std::string(request.contract_id), std::string(request.contract_digest)} {}

  BootstrapDecision decide() {
    BootstrapDecision decision;
    decision.session_key = request_.session_key;
    decision.contract_digest = request_.contract_digest;
    decision.answer = answer();
    if (decision.answer.status == 200) decision.ready = contract_;
    decision.only_this_file = only_this_file_;
    if (request_.contract && contract_ && is_as_requested()) decision.presented = contract_;
    return decision;
  }

private:
  PolicyAnswer answer() {
    if (auto refused = find_contract()) return *refused;
    if (auto refused = analyze_contract()) return *refused;
    if (auto refused = compare_with_request()) return *refused;
    if (auto refused = check_subjects()) return *refused;
    if (!is_accepted(facts_.file, contract_->id(), contract_->digest()))
      return update_required_answer(context_, requested_);
    if (auto refused = check_artifact()) {
      only_this_file_ = true;
      return *refused;
    }
    const auto active =
        analyze(*contract_, known_contracts(facts_.file, facts_.known, contract_->digest()), Resolution::active);
    if (!active) return analysis_refused(active.error());
    if (auto refused = check_resources()) return *refused;
    return ready_answer(request_.session_key, *contract_, facts_.now);
  }

  std::optional<PolicyAnswer> find_contract() {
    if (std::ranges::find(facts_.file.callers, request_.session_key, &StaticCaller::session_key) !=
        facts_.file.callers.end())
      return PolicyAnswer{404, refusal("unknown_service", "The session key is a caller's, not a service's.").str()};
    if (request_.contract) {
      auto presented = Manifest::validate(*request_.contract);
      if (!presented) return presented_invalid(presented.error().text());
      contract_ = std::move(*presented);
      return std::nullopt;
    }
    if (const Manifest *known = find_digest(facts_.known, request_.contract_digest)) {
      contract_ = *known;
      return std::nullopt;
    }
    return PolicyAnswer{409, refusal("manifest_required", "No contract of this digest is known.", context_).str()};
  }

  std::optional<PolicyAnswer> analyze_contract() {
    const auto analysis = analyze(*contract_, known_contracts(facts_.file, facts_.known, contract_->digest()),
                                  Resolution::known_or_pending);
    if (!analysis) return analysis_refused(analysis.error());
    requested_ = analysis->requested();
    return std::nullopt;
  }

  bool is_as_requested() const {
    return contract_->digest() == request_.contract_digest && contract_->id() == request_.contract_id;
  }

  std::optional<PolicyAnswer> compare_with_request() const {
    BootstrapContext context = context_;
    if (contract_->digest() != request_.contract_digest) {
      context.contract_digest.clear();
      return PolicyAnswer{409,
                          refusal("presented_contract_digest_mismatch", "The contract has another digest.", context)
                              .text("expectedContractDigest", request_.contract_digest)
                              .text("presentedContractDigest", contract_->digest())
                              .str()};
    }
    if (contract_->id() != request_.contract_id) {
      context.contract_id.clear();
      return PolicyAnswer{409, refusal("presented_contract_id_mismatch", "The contract has another id.", context)
                                   .text("expectedContractId", request_.contract_id)
                                   .text("presentedContractId", contract_->id())
                                   .str()};
    }
    if (contract_->kind() != ContractKind::service)
      return presented_invalid("/kind: is \"" + std::string(kind_name(contract_->kind())) +
                               "\" (expected \"service\")");
    return std::nullopt;
  }

  std::optional<PolicyAnswer> check_subjects() const {
    if (const auto own = check_own_subjects(*contract_); !own) return catalog_issue(own.error());
    const std::vector<Manifest> others = rivals();
    const auto installable = install_check(*contract_, DeploymentKind::service, others);
    if (!installable && installable.error().code != "dependency_unknown") return catalog_issue(installable.error());
    if (const auto free = check_subjects_free(*contract_, pointers_to(others)); !free)
      return catalog_issue(free.error());
    return std::nullopt;
  }

  // A contract that nobody accepted can't take subjects away from one that was.
  std::vector<Manifest> rivals() const {
    const bool accepted = is_accepted(facts_.file, contract_->id(), contract_->digest());
    std::vector<Manifest> out;
    for (const Manifest &other : facts_.known)
      if (!accepted || is_accepted(facts_.file, other.id(), other.digest())) out.push_back(other);
    return out;
  }

  // An entry of the policy file may hold for one file only; with approve = "artifact" it has to.
  std::optional<PolicyAnswer> check_artifact() const {
    for (const StaticAcceptance &entry : facts_.file.accepted) {
      if (entry.contract_id != contract_->id() || entry.digest != contract_->digest()) continue;
      if (artifact_.bound && entry.sha256.empty()) continue;
      if (!entry.sha256.empty() && entry.sha256 != artifact_.sha256) continue;
      if (!entry.signer.empty() && entry.signer != artifact_.signer) continue;
      return std::nullopt;
    }
    return artifact_required_answer(context_, requested_, artifact_);
  }

  std::optional<PolicyAnswer> check_resources() const {
    for (const ResourceNeed &need : requested_.resources)
      if (need.required && need.kind != ResourceKind::transfer) return resources_unavailable_answer(context_, need);
    return std::nullopt;
  }

  PolicyAnswer presented_invalid(std::string_view problem) const {
    return {409, refusal("presented_contract_invalid", "The presented contract can't be used.", context_)
                     .text("contractError", problem)
                     .str()};
  }
  PolicyAnswer catalog_issue(const Error &error) const {
    return {409, refusal("contract_catalog_issue", "The contract conflicts with what is installed.", context_)
                     .text("catalogError", error.text())
                     .str()};
  }
  PolicyAnswer analysis_refused(const Error &error) const {
    return is_dependency_error(error) ? activation_pending_answer(context_, error) : catalog_issue(error);
  }

  const PolicyFacts &facts_;
  const BootstrapRequest &request_;
  const ArtifactFacts &artifact_;
  BootstrapContext context_;
  std::optional<Manifest> contract_;
  bool only_this_file_ = false;
  Needs requested_;
};

} // namespace

std::string bootstrap_request(const SessionKey &key, const Manifest &contract, bool with_manifest, std::int64_t iat) {
  JsonObjectText body;
  body.text("sessionKey", key.text()).text("contractId", contract.id()).text("contractDigest", contract.digest());
  if (with_manifest) body.json("contract", contract.normalized());
  const std::string value = proof_value(std::to_string(iat), contract.digest());
  return body.number("iat", iat).text("sig", key.sign_domain(kProofDomain, value)).str();
}

BootstrapDecision decide_bootstrap(const PolicyFacts &facts, std::string_view text, const ArtifactFacts &artifact) {
  const auto request = parse_request(text, facts.now);
  if (!request)
    return {.answer = request.error(),
            .session_key = {},
            .contract_digest = {},
            .presented = {},
            .ready = {},
            .only_this_file = false};
  return Decider(facts, *request, artifact).decide();
}

bool is_accepted(const StaticPolicyFile &file, std::string_view contract_id, std::string_view digest) {
  if (contract_id == health_contract().id()) return digest == health_contract().digest();
  return std::ranges::any_of(file.accepted, [&](const StaticAcceptance &acceptance) {
    return acceptance.contract_id == contract_id && acceptance.digest == digest;
  });
}

KnownContracts known_contracts(const StaticPolicyFile &file, const std::vector<Manifest> &known,
                               std::string_view except_digest) {
  KnownContracts out;
  for (const Manifest &manifest : known)
    if (manifest.digest() != except_digest)
      out.push_back({manifest, is_accepted(file, manifest.id(), manifest.digest())});
  return out;
}

} // namespace trellis
