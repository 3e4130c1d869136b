#include "principals.h"

#include "contracts/json_write.h"
#include "wire/ulid.h"
#include <algorithm>

namespace trellis::auth {
namespace {

std::string check_service(Reader &db, const Session &session, bool for_callout) {
  const auto instance = service_instance_of_key(db, session.session_key);
  if (!instance) return "unknown_service";
  const auto deployment = find_service_deployment(db, instance->deployment_id);
  if (instance->disabled || !deployment || deployment->disabled) return "service_disabled";
  if (for_callout && current_authority(db, instance->deployment_id).state != AuthorityState::current)
    return "service_authority_miss";
  return {};
}

// The instance that the session speaks for still is what it was when the session was made.
bool matches(const DeviceInstance &instance, const Session &session) {
  return instance.public_identity_key == session.session_key &&
         instance.deployment_id == session.device()->deployment_id;
}

bool is_reviewed(const std::optional<DeviceInstance> &instance, const Session &session) {
  return instance && matches(*instance, session) && instance->state == "registered" && !session.device()->revoked_at;
}

bool is_activated(const std::optional<DeviceInstance> &instance, const Activation &activation, const Session &session) {
  if (!instance || !matches(*instance, session)) return false;
  if (instance->state == "disabled" || instance->state == "revoked") return false;
  return activation.state == "activated" && activation.public_identity_key == session.session_key &&
         activation.deployment_id == session.device()->deployment_id && !activation.revoked_at &&
         !session.device()->revoked_at;
}

std::string check_device(Reader &db, const Session &session) {
  const auto &device = *session.device();
  const auto instance = find_device_instance(db, device.instance_id);
  if (const auto activation = find_activation(db, device.instance_id)) {
    if (!is_activated(instance, *activation, session)) return "device_activation_revoked";
  } else if (!is_reviewed(instance, session)) {
    return "unknown_device";
  }
  const auto deployment = find_device_deployment(db, device.deployment_id);
  if (!deployment) return "device_deployment_not_found";
  return deployment->disabled ? "device_deployment_disabled" : "";
}

std::string check_user(Reader &db, const UserSession &session) {
  const auto user = find_user(db, session.user_id);
  if (!user) return "user_not_found";
  if (!user->active) return "user_inactive";
  const auto held = resolved_capabilities(db, *user);
  for (const auto &capability : session.capabilities)
    if (!std::binary_search(held.begin(), held.end(), capability)) return "insufficient_permissions";
  return {};
}

// 05 §5: the deployment id up to its first dot.
std::string_view device_type(std::string_view deployment_id) {
  return deployment_id.substr(0, deployment_id.find('.'));
}

CallerFacts user_facts(const Session &session) {
  const auto &user = *session.user();
  JsonObjectText identity;
  identity.text("identityId", user.identity.identity_id).text("provider", user.identity.provider);
  identity.text("subject", user.identity.subject);
  JsonObjectText caller;
  caller.text("type", "user").text("participantKind", user.participant_kind).text("userId", user.user_id);
  caller.json("identity", identity.str()).flag("active", true).text("name", user.name).text("email", user.email);
  if (user.image) caller.text("image", *user.image);
  caller.texts("capabilities", user.capabilities).text("lastAuth", iso_time(session.last_auth));
  return {caller.str(), user.capabilities, user.publish_subjects, false};
}

CallerFacts device_facts(const Session &session) {
  const auto &device = *session.device();
  JsonObjectText caller;
  caller.text("type", "device").text("deviceId", device.instance_id);
  caller.text("deviceType", device_type(device.deployment_id)).text("runtimePublicKey", session.session_key);
  caller.text("deploymentId", device.deployment_id).flag("active", true).texts("capabilities", device.capabilities);
  return {caller.str(), device.capabilities, device.publish_subjects, false};
}

CallerFacts service_facts(Reader &db, const Session &session) {
  std::vector<std::string> capabilities = {"service"};
  if (const auto instance = service_instance_of_key(db, session.session_key))
    for (const auto &capability : instance->capabilities)
      if (std::find(capabilities.begin(), capabilities.end(), capability) == capabilities.end())
        capabilities.push_back(capability);
  JsonObjectText caller;
  caller.text("type", "service").text("id", session.session_key).text("name", session.service()->name);
  caller.flag("active", true).texts("capabilities", capabilities);
  return {caller.str(), std::move(capabilities), {}, true};
}

} // namespace

Groups stored_groups(Reader &db) {
  Groups groups;
  for (auto &group : list_groups(db))
    groups[group.group_key] = {std::move(group.capabilities), std::move(group.included_groups)};
  return groups;
}

std::vector<std::string> resolved_capabilities(Reader &db, const User &user) {
  // Most accounts have no groups, and the built-in one needs no stored groups.
  return resolve_capabilities(user.capabilities, user.groups, user.groups.empty() ? Groups{} : stored_groups(db));
}

CurrentAuthority current_authority(Reader &db, std::string_view deployment_id) {
  const auto authority = find_authority(db, deployment_id);
  if (!authority || authority->disabled) return {};
  auto materialization = find_materialization(db, deployment_id);
  if (!materialization || materialization->status != "current" ||
      materialization->desired_version != authority->version)
    return {AuthorityState::behind, std::nullopt};
  return {AuthorityState::current, std::move(materialization)};
}

std::string check_principal(Reader &db, const Session &session, bool for_callout) {
  if (session.service()) return check_service(db, session, for_callout);
  if (session.device()) return check_device(db, session);
  return check_user(db, *session.user());
}

std::string principal_context(const Session &session, std::string_view reason) {
  JsonObjectText context;
  if (const auto *user = session.user()) return context.text("userId", user->user_id).str();
  context.text("sessionKey", session.session_key);
  if (const auto *device = session.device())
    return context.text("instanceId", device->instance_id).text("deploymentId", device->deployment_id).str();
  context.text("instanceId", session.service()->instance_id);
  if (reason != "unknown_service") context.text("deploymentId", session.service()->deployment_id);
  return context.str();
}

const std::string &scope_id_of(const Session &session) {
  if (const auto *user = session.user()) return user->user_id;
  if (const auto *service = session.service()) return service->trellis_id;
  return session.device()->instance_id;
}

CallerFacts caller_facts(Reader &db, const Session &session) {
  if (session.user()) return user_facts(session);
  return session.service() ? service_facts(db, session) : device_facts(session);
}

} // namespace trellis::auth
