// Contracts: canonical-json, contract-digest, manifest-validation, compatibility (README §3.1).

#include "contracts/authority.h"
#include "contracts/canonical.h"
#include "contracts/compatibility.h"
#include "contracts/encoding.h"
#include "contracts/event_subject.h"
#include "contracts/manifest.h"
#include "output.h"
#include "runner.h"

namespace trellis::vectors {

void register_authority(Registry &registry); // authority_vectors.cpp

namespace {

Manifest valid(const JsonValue &value) {
  auto manifest = Manifest::validate(value);
  if (!manifest) throw std::runtime_error("invalid manifest: " + manifest.error().text());
  return std::move(*manifest);
}

// `manifest`, or `manifestText` where spelling matters.
Result<Manifest> manifest_of(const Input &input) {
  if (input.find("manifestText")) return Manifest::parse(input.text("manifestText"));
  return Manifest::validate(input.at("manifest"));
}

// ---------------------------------------------------------------- canonical-json, contract-digest

JsonDocument run_canonical(const Input &input, const CaseContext &) {
  const auto value = parse_json(input.text("text"));
  if (!value) throw std::runtime_error(value.error().text());
  const auto canonical = canonical_json(*value);
  if (!canonical) return Output().text("error", canonical.error().code).take();
  return Output().text("canonical", *canonical).text("digest", sha256_base64url(*canonical)).take();
}

// The cases that `sameDigestAs` and `differsFrom` name may be in another folder, so they come with their digest.
void check_relations(const std::string &digest, const CaseContext &context) {
  const auto other = [&](const char *relation) -> std::string_view {
    const auto *named = find_member(*context.expected, relation);
    return named ? string_member(*named, "digest") : std::string_view();
  };
  if (const auto same = other("sameDigestAs"); !same.empty() && same != digest)
    throw std::runtime_error("digest " + digest + " differs from that of sameDigestAs");
  if (other("differsFrom") == digest) throw std::runtime_error("digest " + digest + " equals that of differsFrom");
}

JsonDocument run_digest(const Input &input, const CaseContext &context) {
  const auto manifest = manifest_of(input);
  if (!manifest) throw std::runtime_error(manifest.error().text());
  check_relations(manifest->digest(), context);
  return Output().text("digest", manifest->digest()).text("projection", manifest->projection()).take();
}

// ---------------------------------------------------------------- manifest-validation

JsonDocument run_validate(const Input &input, const CaseContext &) {
  const auto manifest = manifest_of(input);
  if (!manifest) return Output().flag("valid", false).text("category", manifest.error().code).take();
  return Output()
      .flag("valid", true)
      .text("digest", manifest->digest())
      .text("normalized", manifest->normalized())
      .take();
}

JsonDocument run_install(const Input &input, const CaseContext &) {
  std::vector<Manifest> known;
  for (const auto &manifest : input.at("knownManifests").GetArray())
    known.push_back(valid(manifest));
  const auto kind = input.text("deploymentKind");
  if (kind != "service" && kind != "device") throw std::runtime_error("unknown deployment kind " + kind);
  const auto manifest = manifest_of(input);
  if (!manifest) return Output().flag("valid", false).text("category", manifest.error().code).take();
  const auto namespaces =
      install_check(*manifest, kind == "device" ? DeploymentKind::device : DeploymentKind::service, known);
  if (namespaces)
    return Output().flag("valid", true).text("digest", manifest->digest()).texts("namespaces", *namespaces).take();
  Output out;
  out.flag("valid", false).text("category", namespaces.error().code);
  for (const char *detail : {"alias", "contractId", "surface", "key"})
    if (const auto value = namespaces.error().detail(detail); !value.empty()) out.text(detail, value);
  return out.take();
}

// ---------------------------------------------------------------- compatibility

JsonDocument run_schemas(const Input &input, const CaseContext &) {
  const auto &left = input.at("left"), &right = input.at("right");
  const auto merged = merge_schemas(left, right);
  if (merged.has_value() != merge_schemas(right, left).has_value())
    throw std::runtime_error("the answer depends on which schema is left");
  Output out;
  out.flag("compatible", merged.has_value());
  if (merged) out.text("merged", canonical_json(*merged).value());
  return out.take();
}

template <class T>
std::vector<std::string> names_of(const Named<T> &entries) {
  std::vector<std::string> names;
  for (const auto &[name, entry] : entries)
    names.push_back(name);
  return names;
}

JsonDocument run_manifests(const Input &input, const CaseContext &) {
  std::vector<Manifest> manifests;
  for (const auto &manifest : input.at("manifests").GetArray())
    manifests.push_back(valid(manifest));
  const auto merged = merge_lineage(manifests);
  Output out;
  out.flag("compatible", merged.has_value());
  if (merged) {
    Output surfaces;
    surfaces.texts("rpc", names_of(merged->rpc)).texts("operations", names_of(merged->operations));
    surfaces.texts("events", names_of(merged->events)).texts("feeds", names_of(merged->feeds));
    surfaces.texts("jobs", names_of(merged->jobs));
    out.json("mergedSurfaces", std::move(surfaces)).text("mergedSchemas", canonical_json(*merged->schemas).value());
    return out.take();
  }
  out.text("reason", merged.error().code);
  const bool names_surface = merged.error().code != "subject_surface_conflict";
  for (const char *detail : {"key", "field", "schema"})
    if (const auto value = merged.error().detail(detail); !value.empty() && names_surface) out.text(detail, value);
  return out.take();
}

// ---------------------------------------------------------------- event-subjects

JsonDocument run_expand(const Input &input, const CaseContext &) {
  const auto mode = input.text("mode");
  if (mode != "publish" && mode != "filter") throw std::runtime_error("unknown mode " + mode);
  const auto payload = parse_json(input.text("payloadText"));
  if (!payload) throw std::runtime_error("payloadText: " + payload.error().text());
  const auto subject =
      expand_subject(input.text("template"), *payload, mode == "publish" ? SubjectMode::publish : SubjectMode::filter);
  Output out;
  if (subject) return out.text("subject", *subject).take();
  return out.text("error", subject.error().code).text("path", subject.error().where).take();
}

JsonDocument run_wildcard(const Input &input, const CaseContext &) {
  return Output().text("subject", wildcard_subject(input.text("template"))).take();
}

JsonDocument run_token(const Input &input, const CaseContext &) {
  const auto value = input.text("value");
  const auto token = encode_subject_token(value);
  const auto decoded = decode_subject_token(token);
  return Output().text("token", token).text("decoded", decoded).flag("roundTrips", decoded == value).take();
}

} // namespace

void register_contracts(Registry &registry) {
  registry["canonical-json"]["canonical-json"] = {run_canonical};
  registry["contract-digest"]["digest"] = {run_digest, {.ignored = {"sameDigestAs", "differsFrom"}}};
  registry["manifest-validation"]["validate"] = {run_validate};
  registry["manifest-validation"]["install"] = {run_install, {.only_listed = true}}; // alias ... "where given"
  register_authority(registry);
  registry["event-subjects"]["expand"] = {run_expand};
  registry["event-subjects"]["wildcard"] = {run_wildcard};
  registry["event-subjects"]["token"] = {run_token};
  registry["compatibility"]["schemas"] = {run_schemas};
  registry["compatibility"]["manifests"] = {run_manifests, {.sets = {"rpc", "operations", "events", "feeds", "jobs"}}};
}

} // namespace trellis::vectors
