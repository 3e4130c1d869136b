// Finds the presence record of a connection that ended: nats-server's DISCONNECT names server and client, while records
// are kept by session and user nkey (03 §9.2).
//
// Kept in memory, because reading every record at each disconnect would cost as many requests as there are connections.
// What this process records is added at once. Records of other processes are learnt when a disconnect isn't found: one
// request lists all keys, and only unknown ones are read. Rejected: a second bucket with the keys turned round, which
// could disagree with the first, and a watch, which must be trusted to have missed nothing.
#pragma once

#include "transport/kv.h"
#include "wire/presence.h"
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis::auth {

struct ConnectionRecord {
  ConnectionKey key;
  std::string server_id;
  std::int64_t client_id = 0;
  std::string connected_at; // ISO
};

std::string connection_value(const ConnectionRecord &record); // the record as stored
// nullopt for an entry of another shape: readers skip those.
std::optional<ConnectionRecord> read_connection(std::string_view key, std::string_view value);

// [thread-safe] One mutex guards the maps; it isn't held during requests.
class ConnectionIndex {
public:
  using SteadyTime = std::chrono::steady_clock::time_point;
  explicit ConnectionIndex(Transport &auth);

  void add(const ConnectionRecord &record);
  // The record was deleted by us: its disconnect is no news, and nothing to look for.
  void ended(const ConnectionRecord &record);
  // [may block] Takes the connection out. The key, which may have been deleted or have expired meanwhile; nullopt: no
  // record says so, or it has ended(). `heard`: when the disconnect arrived. A list that began later holds its record
  // if there is one, because records are stored before their connections are let in: so disconnects without a record,
  // which every connection with a JWT of the account's own is, share one list, however many come at once.
  Result<std::optional<std::string>> take(std::string_view server_id, std::int64_t client_id, SteadyTime heard);
  std::size_t size() const;

private:
  using Seat = std::pair<std::string, std::int64_t>; // server, client
  struct Place {
    std::string key;
    bool ended = false;
  };
  void add_locked(const ConnectionRecord &record, std::string key);
  std::optional<Place> take_known(const Seat &seat);
  bool has_outgrown() const;
  Result<void> learn(SteadyTime heard);
  void forget(const std::set<std::string> &before, const std::vector<std::string> &listed);

  JetStream jetstream_;
  std::mutex learning_;    // one thread at a time asks for what all want; guards learnt_at_
  SteadyTime learnt_at_{}; // when the last list was asked for
  mutable std::mutex mutex_;
  std::map<Seat, Place> seats_;
  std::set<std::string> known_; // keys that needn't be read again: those in seats_ and dead ones
  std::size_t known_when_learnt_ = 0;
};

} // namespace trellis::auth
