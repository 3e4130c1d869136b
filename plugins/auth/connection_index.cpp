#include "connection_index.h"
#include "contracts/json_write.h"
#include <algorithm>
#include <iterator>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

const std::string kStream = std::string("KV_") + kConnectionsBucket;
const std::string kPrefix = std::string("$KV.") + kConnectionsBucket + ".";
constexpr std::size_t kSlack = 4096; // keys beyond twice the last number before expired ones are looked for

std::string_view key_of(std::string_view subject) {
  return subject.substr(std::min(kPrefix.size(), subject.size()));
}

} // namespace

std::string connection_value(const ConnectionRecord &record) {
  return JsonObjectText()
      .text("serverId", record.server_id)
      .number("clientId", record.client_id)
      .text("connectedAt", record.connected_at)
      .str();
}

std::optional<ConnectionRecord> read_connection(std::string_view key, std::string_view value) {
  auto parsed_key = parse_connection_key(key);
  const auto parsed = parse_json(value);
  if (!parsed_key || !parsed) return std::nullopt;
  const JsonValue *client = find_member(*parsed, "clientId");
  ConnectionRecord out{.key = std::move(*parsed_key),
                       .server_id = std::string(string_member(*parsed, "serverId")),
                       .client_id = client != nullptr && client->IsInt64() ? client->GetInt64() : 0,
                       .connected_at = std::string(string_member(*parsed, "connectedAt"))};
  if (out.server_id.empty() || out.client_id <= 0) return std::nullopt;
  return out;
}

ConnectionIndex::ConnectionIndex(Transport &auth) : jetstream_(auth) {}

void ConnectionIndex::add(const ConnectionRecord &record) {
  auto key = format_connection_key(record.key);
  const std::lock_guard lock(mutex_);
  add_locked(record, std::move(key));
}

void ConnectionIndex::add_locked(const ConnectionRecord &record, std::string key) {
  known_.insert(key);
  seats_.insert_or_assign(Seat(record.server_id, record.client_id), Place{std::move(key), false});
}

void ConnectionIndex::ended(const ConnectionRecord &record) {
  auto key = format_connection_key(record.key);
  const std::lock_guard lock(mutex_);
  known_.insert(key);
  seats_.insert_or_assign(Seat(record.server_id, record.client_id), Place{std::move(key), true});
}

std::size_t ConnectionIndex::size() const {
  const std::lock_guard lock(mutex_);
  return seats_.size();
}

std::optional<ConnectionIndex::Place> ConnectionIndex::take_known(const Seat &seat) {
  const std::lock_guard lock(mutex_);
  auto found = seats_.extract(seat);
  if (!found) return std::nullopt;
  return std::move(found.mapped());
}

// Ended connections, and those of a server that died without a word, must not pile up here when nothing else asks for
// the list.
bool ConnectionIndex::has_outgrown() const {
  const std::lock_guard lock(mutex_);
  return known_.size() > 2 * known_when_learnt_ + kSlack;
}

Result<std::optional<std::string>> ConnectionIndex::take(std::string_view server_id, std::int64_t client_id,
                                                         SteadyTime heard) {
  const Seat seat(server_id, client_id);
  auto place = take_known(seat);
  if (!place || has_outgrown()) {
    const auto learnt = learn(heard);
    if (!learnt && !place) return tl::make_unexpected(learnt.error());
    if (!place) place = take_known(seat);
  }
  if (!place || place->ended) return std::nullopt;
  return std::move(place->key);
}

Result<void> ConnectionIndex::learn(SteadyTime heard) {
  const std::lock_guard one(learning_);
  if (learnt_at_ > heard) return {};
  const auto now = std::chrono::steady_clock::now();
  std::set<std::string> before;
  {
    const std::lock_guard lock(mutex_);
    before = known_;
  }
  const auto subjects = jetstream_.subjects(kStream, kPrefix + ">");
  if (!subjects) return tl::make_unexpected(subjects.error());
  std::vector<std::string> unknown;
  std::copy_if(subjects->begin(), subjects->end(), std::back_inserter(unknown),
               [&](const std::string &subject) { return !before.contains(std::string(key_of(subject))); });
  const auto messages = jetstream_.last_on_each(kStream, unknown);
  if (!messages) return tl::make_unexpected(messages.error());

  const std::lock_guard lock(mutex_);
  for (const auto &message : *messages) {
    const std::string key(key_of(message.subject));
    if (known_.contains(key)) continue; // recorded or ended by us meanwhile
    known_.insert(key);                 // a delete marker is read once: a key names one connection and never comes back
    if (const auto record = read_connection(key, message.payload)) add_locked(*record, key);
  }
  forget(before, *subjects);
  known_when_learnt_ = known_.size();
  learnt_at_ = now;
  return {};
}

// Under mutex_. Of what was known before the list was asked for, what the list no longer holds has expired.
void ConnectionIndex::forget(const std::set<std::string> &before, const std::vector<std::string> &listed) {
  std::set<std::string_view> alive;
  for (const auto &subject : listed)
    alive.insert(key_of(subject));
  const auto expired = [&](const std::string &key) { return before.contains(key) && !alive.contains(key); };
  std::erase_if(seats_, [&](const auto &seat) { return expired(seat.second.key); });
  std::erase_if(known_, expired);
}

} // namespace trellis::auth
