#include "connections.h"
#include "contracts/json_write.h"
#include "store/authority.h"
#include "wire/ulid.h"
#include <algorithm>
#include <future>
#include <memory>
#include <mutex>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

// Of the 2 s that nats-server waits for a callout by default (03 §2.3): the rest is for the database and the way back.
constexpr std::chrono::milliseconds kCalloutPatience{1000};
constexpr std::chrono::milliseconds kKickPatience{1000};
constexpr std::chrono::milliseconds kEventPatience{5000}; // nobody waits for it: only the log line comes that late

bool is_server_id(std::string_view text) { // it becomes a token of a subject
  const auto allowed = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  return !text.empty() && std::all_of(text.begin(), text.end(), allowed);
}

struct Advisory {
  std::string_view server_id, account;
  std::int64_t client_id = 0;
};

// nullopt when it lacks what identifies the connection. The views are into `advisory`.
std::optional<Advisory> read_advisory(const JsonDocument &advisory) {
  const JsonValue *server = find_member(advisory, "server");
  const JsonValue *client = find_member(advisory, "client");
  if (server == nullptr || client == nullptr) return std::nullopt;
  const JsonValue *id = find_member(*client, "id");
  if (id == nullptr || !id->IsInt64()) return std::nullopt;
  return Advisory{string_member(*server, "id"), string_member(*client, "acc"), id->GetInt64()};
}

JsonObjectText event_of(const EventSubject &who) {
  JsonObjectText out;
  out.text("origin", who.origin).text("id", who.id);
  return out;
}

// A user nkey is one connection's.
bool holds_key(const std::vector<ConnectionRecord> &records, std::string_view user_nkey) {
  return std::any_of(records.begin(), records.end(),
                     [&](const ConnectionRecord &record) { return record.key.user_nkey == user_nkey; });
}

// The instance's offers that its disconnect concerns (03 §9.2 step 4); staleAt stays as it is.
Result<void> mark_disconnected(Writer &db, const ServiceSession &service, UnixMs when) {
  for (auto &offer : offers_of_deployment(db, service.deployment_id)) {
    if (offer.instance_id != service.instance_id || offer.status != "accepted" || offer.stale_at) continue;
    if (offer.last_refreshed_at && *offer.last_refreshed_at > when) continue; // it is back already
    offer.liveness = "disconnected";
    offer.last_refreshed_at = when;
    put_offer(db, offer);
  }
  return {};
}

} // namespace

std::optional<EventSubject> event_subject(const Session &session) {
  if (const auto *user = session.user()) return EventSubject{user->identity.provider, user->identity.subject};
  if (session.service() != nullptr) return EventSubject{"service", session.session_key};
  return std::nullopt;
}

struct Connections::EventReports {
  std::mutex mutex; // guards `log`
  Log log;          // empty once the owner has ended

  void failed(const char *event, const Error &error) {
    const std::lock_guard lock(mutex);
    if (!log) return;
    log(Level::warn, "an event can't be published",
        JsonObjectText().text("event", event).text("error", error.text()).str());
  }
  void end() {
    const std::lock_guard lock(mutex);
    log = nullptr;
  }
};

Connections::Connections(Core &core, Transport &auth, Transport &system, Transport &trellis)
    : core_(core), system_(system), trellis_(trellis), records_(auth, kConnectionsBucket),
      quick_records_(auth, kConnectionsBucket, kCalloutPatience), index_(auth),
      backlog_(static_cast<std::size_t>(core.config.limits.connection_backlog)),
      reports_(std::make_shared<EventReports>()) {
  reports_->log = core.log;
}

Connections::~Connections() {
  reports_->end();
}

void Connections::trouble(std::string_view message, std::string_view about, const Error &error) const {
  core_.log(Level::warn, message, JsonObjectText().text("about", about).text("error", error.text()).str());
}

// ---------------------------------------------------------------- records

Result<void> Connections::record(const ConnectionRecord &record) {
  const auto stored = quick_records_.put(format_connection_key(record.key), connection_value(record));
  if (stored) {
    index_.add(record);
    return {};
  }
  if (stored.error().code != kv_error::kInvalidKey && !backlog_.add(record))
    core_.log(Level::error, "a connection has no record, and can't be kicked",
              JsonObjectText()
                  .text("reason", "limits.connectionBacklog records wait already")
                  .text("sessionKey", record.key.session_key)
                  .str());
  return tl::make_unexpected(stored.error());
}

void Connections::withdraw(const ConnectionRecord &record) {
  const std::string key = format_connection_key(record.key);
  backlog_.remove(key);
  index_.ended(record);
  if (const auto erased = quick_records_.erase(key); !erased)
    trouble("the record of a connection that isn't admitted can't be deleted", key, erased.error());
}

// Whoever ends the connection meanwhile takes the record out of the backlog first, and can't know whether it is stored.
void Connections::store_backlog() {
  while (const auto record = backlog_.first()) {
    const std::string key = format_connection_key(record->key);
    if (!records_.put(key, connection_value(*record))) return;
    if (backlog_.remove(key)) {
      index_.add(*record);
    } else if (const auto erased = records_.erase(key); !erased) {
      trouble("an ended connection's record can't be deleted", key, erased.error());
    }
  }
}

Result<std::vector<ConnectionRecord>> Connections::matching(std::string_view filter) {
  const auto entries = records_.entries(filter);
  if (!entries) return tl::make_unexpected(entries.error());
  std::vector<ConnectionRecord> out;
  for (const auto &entry : *entries)
    if (auto record = read_connection(entry.key, entry.value)) out.push_back(std::move(*record));
  for (auto &record : backlog_.matching(filter))
    if (!holds_key(out, record.key.user_nkey)) out.push_back(std::move(record));
  return out;
}

Result<std::vector<ConnectionRecord>> Connections::of_session(std::string_view session_key) {
  return matching(connections_of_session(session_key));
}
Result<std::vector<ConnectionRecord>> Connections::of_user_nkey(std::string_view user_nkey) {
  return matching(connections_of_user_nkey(user_nkey));
}
Result<std::vector<ConnectionRecord>> Connections::all() {
  return matching(">");
}

// ---------------------------------------------------------------- kicks

void Connections::kick(const ConnectionRecord &record) {
  kick_all({record});
}

void Connections::kick_session(std::string_view session_key, std::optional<std::string_view> scope_id) {
  auto records = of_session(session_key);
  if (!records) {
    trouble("a session's connections can't be listed to kick them", session_key, records.error());
    records = backlog_.matching(connections_of_session(session_key));
  }
  if (scope_id)
    std::erase_if(*records, [&](const ConnectionRecord &record) { return record.key.scope_id != scope_id; });
  kick_all(*records);
}

// All requests go out before the first answer is waited for: a server that is gone costs its second once.
void Connections::kick_all(const std::vector<ConnectionRecord> &records) {
  std::vector<std::pair<std::string, std::future<Result<MessagePtr>>>> answers;
  for (const auto &record : records) {
    const std::string key = format_connection_key(record.key);
    backlog_.remove(key);
    index_.ended(record);
    if (const auto erased = records_.erase(key); !erased)
      trouble("a kicked connection's record can't be deleted", key, erased.error());
    if (!is_server_id(record.server_id)) continue;
    const auto answer = std::make_shared<std::promise<Result<MessagePtr>>>();
    answers.emplace_back(key, answer->get_future());
    const std::string subject = "$SYS.REQ.SERVER." + record.server_id + ".KICK";
    const std::string body = JsonObjectText().number("cid", record.client_id).str();
    system_.request({.subject = subject, .payload = body}, kKickPatience,
                    [answer](Result<MessagePtr> reply) { answer->set_value(std::move(reply)); });
  }
  for (auto &[key, answer] : answers)
    if (const auto reply = answer.get(); !reply) trouble("no answer to a kick", key, reply.error());
}

// ---------------------------------------------------------------- events

void Connections::opened(const EventSubject &who, std::string_view session_key, std::string_view user_nkey) {
  publish("Auth.Connections.Opened", event_of(who).text("sessionKey", session_key).text("userNkey", user_nkey));
}
void Connections::closed(const EventSubject &who, std::string_view session_key, std::string_view user_nkey) {
  publish("Auth.Connections.Closed", event_of(who).text("sessionKey", session_key).text("userNkey", user_nkey));
}
void Connections::kicked(const EventSubject &who, std::string_view user_nkey, std::string_view kicked_by) {
  publish("Auth.Connections.Kicked", event_of(who).text("userNkey", user_nkey).text("kickedBy", kicked_by));
}
void Connections::revoked(const EventSubject &who, std::string_view session_key, std::string_view revoked_by) {
  publish("Auth.Sessions.Revoked", event_of(who).text("sessionKey", session_key).text("revokedBy", revoked_by));
}

// The acknowledgement is taken on a network thread and only logged: the answer to a callout mustn't wait for a stream
// that is missing or has no leader.
void Connections::publish(const char *name, JsonObjectText members) {
  const std::string id = new_ulid();
  const std::string header = JsonObjectText().text("id", id).text("time", iso_time(core_.now())).str();
  const std::string payload = members.json("header", header).str();
  const Headers headers{{"Nats-Msg-Id", id}};
  const std::string subject = std::string("events.v1.") + name;
  trellis_.request({.subject = subject, .payload = payload, .headers = &headers}, kEventPatience,
                   [reports = reports_, name, subject](const Result<MessagePtr> &reply) {
                     if (!reply) return reports->failed(name, reply.error());
                     const auto ack = read_publish_answer((*reply)->payload(), subject);
                     if (!ack) reports->failed(name, ack.error());
                   });
}

// ---------------------------------------------------------------- disconnects

void Connections::disconnected(std::string_view advisory_json, std::chrono::steady_clock::time_point heard) {
  const auto document = parse_json(advisory_json);
  const auto advisory = document ? read_advisory(*document) : std::nullopt;
  if (!advisory || advisory->account != core_.config.target_nkey) return;
  if (const auto unstored = backlog_.take(advisory->server_id, advisory->client_id)) return forget_unstored(*unstored);
  const auto key = index_.take(advisory->server_id, advisory->client_id, heard);
  if (!key) return trouble("a disconnect can't be looked up", advisory->server_id, key.error());
  if (!*key) return;
  if (const auto record = take_record(**key)) closed_by_itself(*record);
}

// nullopt: it has expired, or another process was faster.
std::optional<ConnectionRecord> Connections::take_record(const std::string &key) {
  const auto entry = records_.get(key);
  if (!entry) {
    trouble("an ended connection's record can't be read", key, entry.error());
    return std::nullopt;
  }
  if (!*entry) return std::nullopt;
  const auto erased = records_.erase(key, (**entry).revision);
  if (!erased) {
    if (erased.error().code != kv_error::kChanged)
      trouble("an ended connection's record can't be deleted", key, erased.error());
    return std::nullopt;
  }
  return read_connection(key, (**entry).value);
}

// Its put may have been carried out after all, only too late for us.
void Connections::forget_unstored(const ConnectionRecord &record) {
  const std::string key = format_connection_key(record.key);
  if (const auto erased = records_.erase(key); !erased)
    trouble("an ended connection's record can't be deleted", key, erased.error());
  closed_by_itself(record);
}

void Connections::closed_by_itself(const ConnectionRecord &record) {
  const std::string &session_key = record.key.session_key;
  const UnixMs expired_before = core_.sessions_expired_before();
  const auto look = [&](Reader &db) { return find_session(db, session_key, expired_before); };
  const auto read = core_.db.read(look);
  if (!read) return trouble("the session of an ended connection can't be read", session_key, read.error());
  if (!*read) return trouble("the session of an ended connection can't be read", session_key, read->error());
  const std::optional<Session> &session = **read;
  if (!session) return;
  if (const auto who = event_subject(*session)) closed(*who, session_key, record.key.user_nkey);
  if (const auto *service = session->service()) after_disconnect(*service, session_key);
}

void Connections::after_disconnect(const ServiceSession &service, const std::string &session_key) {
  const UnixMs when = core_.now();
  const auto others = records_.keys(connections_of_session(session_key));
  if (!others) return trouble("a service's connections can't be listed", session_key, others.error());
  if (!others->empty()) return;
  core_.db.write_behind([service, when](Writer &db) { return mark_disconnected(db, service, when); });
}

} // namespace trellis::auth
