#include "session_rows.h"

#include "contracts/json_write.h"
#include "wire/ulid.h"

namespace trellis::auth {
namespace {

// 05 §5: the deployment id up to its first dot.
std::string_view device_type(std::string_view deployment_id) {
  return deployment_id.substr(0, deployment_id.find('.'));
}

std::string actor(const Session &session) {
  if (const auto *user = session.user()) return user->user_id;
  if (session.service()) return "service." + session.session_key;
  return session.device()->instance_id + "." + session.session_key;
}

std::string principal(const Session &session) {
  if (const auto *user = session.user())
    return JsonObjectText()
        .text("type", "user")
        .text("userId", user->user_id)
        .json("identity", identity_object(user->identity))
        .text("name", user->name)
        .str();
  if (const auto *service = session.service())
    return JsonObjectText()
        .text("type", "service")
        .text("id", session.session_key)
        .text("name", service->name)
        .text("instanceId", service->instance_id)
        .text("deploymentId", service->deployment_id)
        .str();
  const auto &device = *session.device();
  return JsonObjectText()
      .text("type", "device")
      .text("deviceId", device.instance_id)
      .text("deviceType", device_type(device.deployment_id))
      .text("runtimePublicKey", session.session_key)
      .text("deploymentId", device.deployment_id)
      .str();
}

// participantKind, principal and contract members: a user has both of those, a device one, a service none.
void describe(JsonObjectText &row, const Session &session) {
  const auto *user = session.user();
  row.text("participantKind", user                ? std::string_view(user->participant_kind)
                              : session.service() ? "service"
                                                  : "device");
  row.json("principal", principal(session));
  if (user) row.text("contractId", user->contract_id).text("contractDisplayName", user->contract_display_name);
  if (const auto *device = session.device()) row.text("contractId", device->contract_id);
}

} // namespace

std::string identity_object(const IdentityRef &identity) {
  return JsonObjectText()
      .text("identityId", identity.identity_id)
      .text("provider", identity.provider)
      .text("subject", identity.subject)
      .str();
}

std::string session_row_key(const Session &session) {
  return actor(session) + "." + session.session_key;
}

std::string session_row(const Session &session) {
  JsonObjectText row;
  row.text("key", session_row_key(session)).text("sessionKey", session.session_key);
  describe(row, session);
  row.text("createdAt", iso_time(session.created_at)).text("lastAuth", iso_time(session.last_auth));
  return row.str();
}

std::string connection_row_key(const Session &session, const ConnectionRecord &record) {
  return session_row_key(session) + "." + record.key.user_nkey;
}

std::string connection_row(const Session &session, const ConnectionRecord &record) {
  JsonObjectText row;
  row.text("key", connection_row_key(session, record))
      .text("userNkey", record.key.user_nkey)
      .text("sessionKey", session.session_key)
      .text("serverId", record.server_id)
      .number("clientId", record.client_id)
      .text("connectedAt", record.connected_at);
  describe(row, session);
  return row.str();
}

std::string_view listed_under(const Session &session) {
  if (const auto *user = session.user()) return user->user_id;
  if (const auto *device = session.device()) return device->instance_id;
  return session.session_key;
}

} // namespace trellis::auth
