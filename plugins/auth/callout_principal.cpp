#include "callout_principal.h"

#include "catalog.h"
#include "contracts/authority_json.h"
#include "contracts/json.h"
#include "principals.h"
#include "wire/session_key.h"
#include <rapidjson/document.h>
#include <set>

namespace trellis::auth {
namespace {

// What paths A and C agree on: who, with which materialization, or why not.
struct ServicePath {
  std::string denial;
  ServiceInstance instance;
  std::optional<Offer> offer;
  Materialization materialization;
};
struct DevicePath {
  std::string denial;
  DeviceInstance instance;
  std::optional<Activation> activation;
  std::string contract_id;
  Materialization materialization;
};

struct Attempt {
  Core &core;
  Reader &db;
  const ConnectToken &token;
  UnixMs now;
};

// ---------------------------------------------------------------- A: service instances

bool fits(const Offer &offer, const ServiceInstance &instance, const Attempt &attempt) {
  return offer.deployment_kind == "service" && offer.instance_id == instance.instance_id &&
         offer.contract_digest == attempt.token.contract_digest && is_active(offer, attempt.now);
}

std::optional<Offer> offer_of(const ServiceInstance &instance, const Attempt &attempt) {
  for (auto &offer : offers_of_deployment(attempt.db, instance.deployment_id))
    if (fits(offer, instance, attempt)) return std::move(offer);
  return std::nullopt;
}

bool is_v1_document(std::string_view text) {
  const auto json = parse_json(text);
  return json && string_member(*json, "format") == "trellis.contract.v1";
}

// A4 and A5. What the catalog knows is a valid manifest, so the stored text is read again only when it isn't.
bool offers_known_contract(const Offer &offer, const Attempt &attempt) {
  const auto &digest = attempt.token.contract_digest;
  const auto stored = find_contract(attempt.db, digest);
  const auto known = attempt.core.catalog.find(attempt.db, digest);
  if (stored) return stored->contract_id == offer.contract_id && (known || is_v1_document(stored->canonical));
  return known && known->id() == offer.contract_id;
}

ServicePath service_path(ServiceInstance instance, const Attempt &attempt) {
  ServicePath path;
  path.instance = std::move(instance);
  const auto denied = [&](const char *code) {
    path.denial = code;
    return path;
  };
  if (path.instance.disabled) return denied("service_disabled");
  const auto deployment = find_service_deployment(attempt.db, path.instance.deployment_id);
  if (!deployment || deployment->disabled) return denied("service_disabled");
  auto offer = offer_of(path.instance, attempt);
  if (!offer || !offers_known_contract(*offer, attempt)) return denied("contract_changed");
  auto authority = current_authority(attempt.db, path.instance.deployment_id);
  if (authority.state != AuthorityState::current) return denied("service_authority_miss");
  path.offer = std::move(offer);
  path.materialization = std::move(*authority.materialization);
  return path;
}

bool same_record(const ServiceSession &a, const ServiceSession &b) {
  return a.trellis_id == b.trellis_id && a.email == b.email && a.name == b.name && a.instance_id == b.instance_id &&
         a.deployment_id == b.deployment_id && a.contract_id == b.contract_id && a.contract_digest == b.contract_digest;
}

// 03 §8.2: a new session, or `before` refreshed. The deployment exists, so its id is the name.
ServiceSession service_session(const ServicePath &path, const ServiceSession *before, const std::string &session_key) {
  ServiceSession session;
  session.name = path.instance.deployment_id;
  session.trellis_id = before ? before->trellis_id : service_trellis_id(session_key);
  session.email = before ? before->email : session.name + "@trellis.internal";
  session.instance_id = path.instance.instance_id;
  session.deployment_id = path.instance.deployment_id;
  session.contract_id = path.offer->contract_id;
  session.contract_digest = path.offer->contract_digest;
  return session;
}

Permissions permissions_of(const Materialization &materialization, const std::string &session_key) {
  std::vector<BindingRef> bindings;
  for (const auto &stored : materialization.bindings)
    if (const auto kind = resource_kind_of(stored.kind)) bindings.push_back({*kind, stored.alias, stored.binding});
  return service_permissions(materialization.grants, bindings, session_key);
}

// ---------------------------------------------------------------- C: devices

// C1 to C4. `activation`: the record of the same id and key.
const char *device_denial(const std::optional<DeviceInstance> &instance, const std::optional<Activation> &activation) {
  if (!instance || instance->state == "disabled" || instance->state == "revoked") return "unknown_device";
  if (activation && (activation->state != "activated" || activation->revoked_at)) return "device_activation_revoked";
  if (activation && activation->deployment_id != instance->deployment_id) return "device_activation_revoked";
  if (!activation && instance->state != "registered") return "unknown_device";
  return nullptr;
}

DevicePath device_path(const Attempt &attempt) {
  const auto &key = attempt.token.session_key;
  DevicePath path;
  const auto denied = [&](const char *code) {
    path.denial = code;
    return path;
  };
  auto instance = find_device_instance(attempt.db, device_instance_id(key));
  if (instance && instance->public_identity_key != key) instance.reset();
  auto activation = find_activation(attempt.db, device_instance_id(key));
  if (activation && activation->public_identity_key != key) activation.reset();
  if (const auto *denial = device_denial(instance, activation)) return denied(denial);

  const auto deployment = find_device_deployment(attempt.db, instance->deployment_id);
  if (!deployment) return denied("device_deployment_not_found");
  if (deployment->disabled) return denied("device_deployment_disabled");
  auto contract = find_contract(attempt.db, attempt.token.contract_digest);
  if (!contract) return denied("device_contract_not_found");
  auto authority = current_authority(attempt.db, instance->deployment_id);
  if (authority.state == AuthorityState::disabled) return denied("device_deployment_disabled");
  if (authority.state == AuthorityState::behind) return denied("device_authority_miss");
  if (!authority.materialization->bindings.empty()) return denied("device_resources_not_supported");

  path.instance = std::move(*instance);
  path.activation = std::move(activation);
  path.contract_id = std::move(contract->contract_id);
  path.materialization = std::move(*authority.materialization);
  return path;
}

std::vector<std::string> without(std::vector<std::string> subjects, const std::string &subject) {
  std::erase(subjects, subject);
  return subjects;
}

std::string inbox_of(const std::string &session_key) {
  return inbox_prefix(session_key) + ".>";
}

DeviceSession device_session(const DevicePath &path, const Permissions &permissions, const ConnectToken &token) {
  DeviceSession session;
  session.instance_id = path.instance.instance_id;
  session.deployment_id = path.instance.deployment_id;
  session.contract_id = path.contract_id;
  session.contract_digest = token.contract_digest;
  session.capabilities = permissions.capabilities;
  session.publish_subjects = permissions.publish;
  session.subscribe_subjects = without(permissions.subscribe, inbox_of(token.session_key));
  if (path.activation) session.activated_at = path.activation->activated_at;
  return session;
}

bool same_record(const DeviceSession &a, const DeviceSession &b) {
  return a.instance_id == b.instance_id && a.deployment_id == b.deployment_id && a.contract_id == b.contract_id &&
         a.contract_digest == b.contract_digest && a.capabilities == b.capabilities &&
         a.publish_subjects == b.publish_subjects && a.subscribe_subjects == b.subscribe_subjects &&
         a.activated_at == b.activated_at && a.revoked_at == b.revoked_at;
}

// ---------------------------------------------------------------- B: by the stored session

// The session as this attempt leaves it: `record` is new, or replaces `before`.
template <class Record>
Principal refreshed(const std::optional<Session> &before, Record record, const Attempt &attempt) {
  Principal principal;
  const auto *old = before ? std::get_if<Record>(&before->of) : nullptr;
  principal.had_session = old != nullptr;
  principal.changed = !old || !same_record(*old, record);
  principal.session = {attempt.token.session_key, old ? before->created_at : attempt.now, attempt.now,
                       std::move(record)};
  return principal;
}

Principal as_service(const ServicePath &path, const std::optional<Session> &before, const Attempt &attempt) {
  const auto &key = attempt.token.session_key;
  auto principal = refreshed(before, service_session(path, before ? before->service() : nullptr, key), attempt);
  principal.permissions = permissions_of(path.materialization, key);
  return principal;
}

Principal as_device(DevicePath path, const std::optional<Session> &before, const Attempt &attempt) {
  const bool first_use = path.activation && !path.activation->activated_at;
  if (first_use) path.activation->activated_at = attempt.now;
  auto permissions = device_permissions(path.materialization.grants, attempt.token.session_key);
  auto principal = refreshed(before, device_session(path, permissions, attempt.token), attempt);
  principal.permissions = std::move(permissions);
  if (first_use) principal.activation = std::move(path.activation);
  return principal;
}

std::vector<std::string> sorted_unique(const std::vector<std::string> &texts) {
  const std::set<std::string> set(texts.begin(), texts.end());
  return {set.begin(), set.end()};
}

Principal as_user(Session session) {
  Principal principal;
  const auto &user = *session.user();
  principal.permissions.publish = sorted_unique(user.publish_subjects);
  auto subscribe = user.subscribe_subjects;
  subscribe.push_back(inbox_of(session.session_key));
  principal.permissions.subscribe = sorted_unique(subscribe);
  principal.permissions.capabilities = user.capabilities;
  principal.had_session = true;
  principal.session = std::move(session);
  return principal;
}

} // namespace

Result<ConnectDecision> resolve_principal(Core &core, Reader &db, const ConnectToken &token, UnixMs now) {
  const Attempt attempt{core, db, token, now};
  ConnectDecision decision;
  const auto denied = [&](std::string code) {
    decision.denial = std::move(code);
    return std::move(decision);
  };
  std::optional<ServicePath> service;
  if (auto instance = service_instance_of_key(db, token.session_key)) {
    service = service_path(std::move(*instance), attempt);
    if (!service->denial.empty()) return denied(service->denial);
    decision.offer = service->offer;
  }

  auto found = find_session(db, token.session_key, core.sessions_expired_before());
  if (!found) return tl::make_unexpected(found.error());
  std::optional<Session> &before = *found;
  if (before && before->user()) {
    if (before->user()->contract_digest != token.contract_digest) return denied("contract_changed");
    decision.principal = as_user(std::move(*before));
  } else if (before ? before->service() != nullptr : service.has_value()) {
    if (!service) return denied(check_principal(db, *before, true)); // the instance is gone: unknown_service
    decision.principal = as_service(*service, before, attempt);
  } else {
    auto device = device_path(attempt);
    if (!device.denial.empty()) return denied(device.denial);
    decision.principal = as_device(std::move(device), before, attempt);
  }

  decision.denial = check_principal(db, decision.principal->session, true);
  if (!decision.denial.empty()) decision.principal.reset();
  return decision;
}

} // namespace trellis::auth
