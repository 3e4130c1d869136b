// Connections: presence records, kicks, and the events about both (03 §9).
//
// Records live in KV bucket trellis_connections of the AUTH account; kicks go out on the system connection, events on
// the trellis connection. Blocking: used from lanes and handlers, never from network threads. Only events never wait:
// a missing stream may cost an event, but not the time that a callout has (03 §2.3).
#pragma once

#include "connection_backlog.h"
#include "connection_index.h"
#include "contracts/json_write.h"
#include "core.h"
#include "store/sessions.h"
#include "transport/kv.h"
#include "wire/presence.h"
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

// `origin` and `id` of 03 §9.3: identity provider and subject of a user, "service" and session key of a service.
struct EventSubject {
  std::string origin, id;
};
std::optional<EventSubject> event_subject(const Session &session); // nullopt: devices have no events

// [thread-safe]
class Connections {
public:
  // Transports of 03 §2.4; they outlive this object.
  Connections(Core &core, Transport &auth, Transport &system, Transport &trellis);
  ~Connections();
  Connections(const Connections &) = delete;
  Connections &operator=(const Connections &) = delete;

  // For callouts: waits a second at most. An error says that the record isn't stored yet: it counts already, for kicks
  // and lists of this process, and store_backlog() tries again.
  Result<void> record(const ConnectionRecord &record);
  // The connection isn't admitted after all. As quick; trouble is logged.
  void withdraw(const ConnectionRecord &record);
  // Stores what record() couldn't, until the first that can't be stored now either.
  void store_backlog();
  Result<std::vector<ConnectionRecord>> of_session(std::string_view session_key);
  Result<std::vector<ConnectionRecord>> of_user_nkey(std::string_view user_nkey);
  Result<std::vector<ConnectionRecord>> all();

  // Deletes the record, then asks the server to end the connection. Never an error for the caller; trouble is logged.
  void kick(const ConnectionRecord &record);
  // Every connection of the key; with `scope_id` only those of that scope.
  void kick_session(std::string_view session_key, std::optional<std::string_view> scope_id = std::nullopt);

  // Auth.Connections.Opened | Closed | Kicked and Auth.Sessions.Revoked; a failure is logged (03 §9.3).
  void opened(const EventSubject &who, std::string_view session_key, std::string_view user_nkey);
  void closed(const EventSubject &who, std::string_view session_key, std::string_view user_nkey);
  void kicked(const EventSubject &who, std::string_view user_nkey, std::string_view kicked_by);
  void revoked(const EventSubject &who, std::string_view session_key, std::string_view revoked_by);

  // One `$SYS.ACCOUNT.*.DISCONNECT` message (03 §9.2): find the record, delete it, publish Closed, mark offers.
  void disconnected(std::string_view advisory_json,
                    std::chrono::steady_clock::time_point heard = std::chrono::steady_clock::now());

private:
  Result<std::vector<ConnectionRecord>> matching(std::string_view filter);
  void kick_all(const std::vector<ConnectionRecord> &records);
  void publish(const char *name, JsonObjectText members);
  std::optional<ConnectionRecord> take_record(const std::string &key);
  void forget_unstored(const ConnectionRecord &record);
  void closed_by_itself(const ConnectionRecord &record);
  void after_disconnect(const ServiceSession &service, const std::string &session_key);
  void trouble(std::string_view message, std::string_view about, const Error &error) const;

  struct EventReports; // outlives this object with the last acknowledgement, but then reports nothing

  Core &core_;
  Transport &system_, &trellis_;
  Kv records_, quick_records_; // of one bucket; the second with a callout's patience
  ConnectionIndex index_;
  ConnectionBacklog backlog_;
  std::shared_ptr<EventReports> reports_;
};

} // namespace trellis::auth
