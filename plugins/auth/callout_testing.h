// What tests of the domain code stand on: a real database in a temporary folder, a clock that is set, and Transports
// that remember what was sent and answer as JetStream would for KV buckets and event streams.
//
// Not a server: enough of the API for presence records, kicks and events. What a real one does is tested live.
#pragma once

#include "callout.h"
#include "catalog.h"
#include "connections.h"
#include "core.h"
#include "store/sessions.h"
#include "support/temp_dir.h"
#include "transport/transport.h"
#include "wire/session_key.h"
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth::testing {

struct Sent {
  std::string connection; // "auth", "system", "trellis"
  std::string subject, payload;
  Headers headers;
};

// One journal for all connections, so that tests see the order of effects.
class Journal {
public:
  void add(const Sent &sent);
  std::vector<Sent> all() const;
  std::vector<Sent> with_prefix(std::string_view subject_prefix) const;
  // Runs for every message before it is answered (the database as it is then, or a hold).
  void on_send(std::function<void(const Sent &)> look);

private:
  mutable std::mutex mutex_;
  std::vector<Sent> sent_;
  std::function<void(const Sent &)> look_;
};

class RecordingTransport : public Transport {
public:
  RecordingTransport(std::string name, Journal &journal) : name_(std::move(name)), journal_(journal) {}

  Result<void> publish(const Outbound &message) override;
  Result<std::unique_ptr<Subscription>> subscribe(std::string subject, std::string queue_group,
                                                  OnMessage on_message) override;
  void request(const Outbound &message, std::chrono::milliseconds timeout, OnReply on_reply) override;
  std::size_t max_payload() const override { return std::size_t{1} << 20; }
  Result<void> flush(std::chrono::milliseconds) override { return {}; }

  // Hands a message to the subscriptions of its subject; false when there are none. Answers go into the journal, with
  // the reply subject as subject.
  bool deliver(const std::string &subject, const std::string &reply, const std::string &payload,
               const Headers &headers = {});
  // The live values of a bucket, by key.
  std::map<std::string, std::string> bucket(std::string_view name) const;
  void break_streams(bool broken) { broken_ = broken; } // no JetStream answers: no responders
  // Nobody answers a bucket's or event's message, and nobody says so. What its senders would have waited is summed up.
  void silence_streams(bool silent) { silent_ = silent; }
  std::chrono::milliseconds waited() const { return std::chrono::milliseconds(waited_ms_.load()); }

private:
  struct Stored {
    std::string payload;
    Headers headers;
    std::uint64_t sequence = 0;
  };
  class Listening;
  Result<std::string> answer(const Sent &sent);
  Result<std::string> store(const Sent &sent);
  std::string stream_info(const Sent &sent);
  std::string last_message(const Sent &sent);

  std::string name_;
  Journal &journal_;
  std::atomic<bool> broken_ = false, silent_ = false;
  std::atomic<std::int64_t> waited_ms_ = 0;
  mutable std::mutex mutex_; // guards the rest
  std::map<std::string, Stored> stored_;
  std::uint64_t sequence_ = 0;
  std::map<int, std::pair<std::string, std::shared_ptr<OnMessage>>> subscriptions_;
  int next_subscription_ = 0;
};

// The domain with nothing in it. `now` starts at 2026-01-01T00:00:00Z.
struct Domain {
  explicit Domain(std::vector<Manifest> builtin = {});

  test::TempDir folder;
  std::atomic<std::int64_t> now{1767225600000};
  ControlPlaneConfig config;
  std::unique_ptr<Database> db;
  Catalog catalog;
  std::mutex log_mutex;
  std::vector<std::string> log_lines;
  Core core;
  Journal journal;
  RecordingTransport auth{"auth", journal}, system{"system", journal}, trellis{"trellis", journal};
  Connections connections;

  // One committed change; everything that was written behind before is in the file afterwards.
  void change(const std::function<void(Writer &)> &change);
  std::optional<Session> session(std::string_view session_key);
  void settle() {
    change([](Writer &) {});
  }
};

CalloutKeys generated_callout_keys();

// What nats-server would send for one connection attempt.
struct ServerSide {
  NkeySeed server = NkeySeed::generate(NkeyType::server);
  NkeySeed xkey = NkeySeed::generate(NkeyType::curve);
  NkeySeed user = NkeySeed::generate(NkeyType::user);
  std::string auth_account = NkeySeed::generate(NkeyType::account).public_text();

  // `nats`: the claims' nats member, JSON.
  std::string request_jwt(std::string_view nats, std::int64_t now_seconds,
                          std::string_view audience = "nats-authorization-request") const;
  std::string nats_claims(std::optional<std::string_view> auth_token,
                          std::string_view client_info = R"({"host":"192.0.2.10","id":77})") const;
  Bytes sealed(std::string_view text, std::string_view callout_xkey) const;
  std::string opened(ByteView payload, std::string_view callout_xkey) const; // the response JWT
};

} // namespace trellis::auth::testing
