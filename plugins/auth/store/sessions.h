// Sessions: one per session key, of a user, a service instance or a device (03 §8).
#pragma once

#include "store/accounts.h"
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace trellis::auth {

struct IdentityRef {
  std::string identity_id, provider, subject;
  bool operator==(const IdentityRef &) const = default;
};

struct UserSession {
  std::string user_id;
  IdentityRef identity;
  std::string email, name;
  std::optional<std::string> image;
  std::string participant_kind; // "app" | "agent"
  std::optional<std::string> identity_grant_id;
  std::string contract_digest, contract_id, contract_display_name, contract_description;
  std::optional<std::string> app_origin;                    // of app {contractId, origin?}
  std::optional<std::string> approval_source;               // "stored_approval" | "deployment_grant"
  std::optional<std::string> needs_json;                    // identityAuthorityNeeds, a Needs object (02 §1.1)
  Names capabilities, publish_subjects, subscribe_subjects; // delegated
  bool operator==(const UserSession &) const = default;
};

struct ServiceSession {
  std::string trellis_id;  // 03 §1
  std::string email, name; // 03 §8.2
  std::string instance_id, deployment_id;
  std::optional<std::string> contract_id, contract_digest;
  bool operator==(const ServiceSession &) const = default;
};

struct DeviceSession {
  std::string instance_id, deployment_id;
  std::string contract_id, contract_digest;
  Names capabilities, publish_subjects, subscribe_subjects;
  std::optional<UnixMs> activated_at, revoked_at;
  bool operator==(const DeviceSession &) const = default;
};

struct Session {
  std::string session_key;
  UnixMs created_at = 0, last_auth = 0;
  std::variant<UserSession, ServiceSession, DeviceSession> of;

  const UserSession *user() const { return std::get_if<UserSession>(&of); }
  const ServiceSession *service() const { return std::get_if<ServiceSession>(&of); }
  const DeviceSession *device() const { return std::get_if<DeviceSession>(&of); }

  bool operator==(const Session &) const = default;
};

// Error "session_corrupted": the stored record can't be read. A session whose last_auth is before `expired_before` (now
// minus ttlMs.sessions; 0 = none expires) doesn't exist.
Result<std::optional<Session>> find_session(Reader &db, std::string_view session_key, UnixMs expired_before);
// Lists are by session_key and leave out what can't be read: it authorises nobody.
std::vector<Session> list_sessions(Reader &db, UnixMs expired_before);
std::vector<Session> sessions_of_user(Reader &db, std::string_view user_id, UnixMs expired_before);
std::vector<Session> sessions_of_grant(Reader &db, std::string_view user_id, std::string_view identity_grant_id,
                                       UnixMs expired_before);
std::vector<Session> sessions_of_instance(Reader &db, std::string_view instance_id, UnixMs expired_before);
// The keys alone, sorted, of everything that runs as one of the instances; unreadable records included.
std::vector<std::string> session_keys_of_instances(Reader &db, const Names &instance_ids, UnixMs expired_before);
void put_session(Writer &db, const Session &session);
// Later than what is stored only; for write_behind.
void touch_session(Writer &db, std::string_view session_key, UnixMs last_auth);
bool delete_session(Writer &db, std::string_view session_key); // false: there was none
int delete_expired_sessions(Writer &db, UnixMs expired_before);

} // namespace trellis::auth
