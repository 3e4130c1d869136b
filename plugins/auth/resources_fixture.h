// What tests of provisioning share: a real server, a transport that sees and can break each request, definitions of
// every kind, and what JetStream holds.
#pragma once

#include "contracts/json.h"
#include "contracts/json_write.h"
#include "jetstream_resources.h"
#include "nats/nats_test_support.h"
#include "support/nats_server.h"
#include "transport/jetstream.h"
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <mutex>
#include <rapidjson/document.h>
#include <set>
#include <string>
#include <vector>

namespace trellis::auth::testing {

// Passes requests on. `on_answer(n)` runs after the n-th was answered by the server (from 1), before the caller knows;
// false: the caller hears of a timeout instead, and no later request is sent at all.
class WatchedTransport : public Transport {
public:
  explicit WatchedTransport(Transport &inner) : inner_(inner) {}

  std::function<bool(int)> on_answer; // set before the first request

  void heal() {
    const std::lock_guard lock(mutex_);
    broken_ = false;
    on_answer = {};
    subjects_.clear();
  }
  std::vector<std::string> subjects() const {
    const std::lock_guard lock(mutex_);
    return subjects_;
  }

  Result<void> publish(const Outbound &message) override { return inner_.publish(message); }
  Result<std::unique_ptr<Subscription>> subscribe(std::string subject, std::string queue_group,
                                                  OnMessage on_message) override {
    return inner_.subscribe(std::move(subject), std::move(queue_group), std::move(on_message));
  }
  void request(const Outbound &message, std::chrono::milliseconds timeout, OnReply on_reply) override {
    const int number = begin(message.subject);
    if (number == 0) return on_reply(lost(std::string(message.subject)));
    inner_.request(message, timeout,
                   [this, number, subject = std::string(message.subject), on_reply](Result<MessagePtr> reply) {
                     on_reply(end(number) ? std::move(reply) : lost(subject));
                   });
  }
  std::size_t max_payload() const override { return inner_.max_payload(); }
  Result<void> flush(std::chrono::milliseconds timeout) override { return inner_.flush(timeout); }

private:
  static Result<MessagePtr> lost(std::string subject) {
    return fail(transport_error::kTimeout, std::move(subject), "no answer in time");
  }
  int begin(std::string_view subject) {
    const std::lock_guard lock(mutex_);
    if (broken_) return 0;
    subjects_.emplace_back(subject);
    return static_cast<int>(subjects_.size());
  }
  bool end(int number) {
    if (!on_answer || on_answer(number)) return true;
    const std::lock_guard lock(mutex_);
    broken_ = true;
    return false;
  }

  Transport &inner_;
  mutable std::mutex mutex_; // guards the rest
  bool broken_ = false;
  std::vector<std::string> subjects_;
};

inline ResourceNeed kv(const std::string &alias, const std::string &numbers = R"("history":1,"ttlMs":0)") {
  return {ResourceKind::kv, alias, true, R"({"type":"kv",)" + numbers + "}"};
}
inline ResourceNeed store(const std::string &alias, const std::string &numbers = R"("ttlMs":0)") {
  return {ResourceKind::store, alias, true, R"({"type":"store",)" + numbers + "}"};
}
inline ResourceNeed queue(const std::string &alias, const std::string &numbers = R"("maxDeliver":5)") {
  return {ResourceKind::jobs, alias, true,
          R"({"type":"jobs-queue","queueType":")" + alias + R"(","payload":{"schema":"P"},)" + numbers + "}"};
}
inline ResourceNeed group(const std::string &alias, const std::string &subjects = R"(["events.v1.A"])",
                          const std::string &more = R"("replay":"new")") {
  return {ResourceKind::event_consumer, alias, true,
          R"({"type":"event-consumer","stream":"trellis","filterSubjects":)" + subjects + "," + more + "}"};
}
inline std::vector<ResourceNeed> one_of_each() {
  return {group("g"), queue("mail"), kv("cache"), store("files")};
}

struct ResourcesFixture {
  explicit ResourcesFixture(test::NatsServer::Config config = {}, const std::string &user = "")
      : server(std::move(config)),
        transport(test::open_connected(*loop, user.empty() ? server.url() : server.url_as(user, user))) {}

  test::NatsServer server;
  std::unique_ptr<NatsLoop> loop = test::start_loop();
  std::unique_ptr<NatsTransport> transport;
  WatchedTransport watched{*transport};
  JetStream jetstream{*transport};
  JetStreamResources resources{watched, watched, 1, {}};
  std::vector<StoredBinding> stored, reserved; // what a control plane would hold
  std::vector<std::string> owned_ids = {};

  void make_event_stream() { make_stream(R"({"name":"trellis","subjects":["events.>"]})"); }
  void make_stream(const std::string &config) {
    const auto parsed = parse_json(config);
    REQUIRE(parsed);
    const auto made = jetstream.create_stream(string_member(*parsed, "name"), config);
    INFO((made ? "" : made.error().text()));
    REQUIRE(made);
  }

  Result<std::vector<StoredBinding>> provision(std::vector<ResourceNeed> desired) {
    const auto reserve = [this](const std::vector<StoredBinding> &names) -> Result<void> {
      for (const StoredBinding &name : names) {
        std::erase_if(reserved,
                      [&](const StoredBinding &old) { return old.kind == name.kind && old.alias == name.alias; });
        reserved.push_back(name);
      }
      return {};
    };
    auto done = resources.provision({"acme.prod", std::move(desired), stored, owned_ids, 1000, reserved, reserve});
    if (done) stored = *done, reserved.clear();
    return done;
  }
  void provisioned(std::vector<ResourceNeed> desired) {
    const auto done = provision(std::move(desired));
    INFO((done ? "" : done.error().text()));
    REQUIRE(done);
  }
  std::string refused(std::vector<ResourceNeed> desired) {
    const auto done = provision(std::move(desired));
    REQUIRE_FALSE(done);
    return done.error().text();
  }

  std::string name(std::string_view kind, const char *member, std::string_view alias = {}) const {
    for (const StoredBinding &binding : stored)
      if (binding.kind == kind && (alias.empty() || binding.alias == alias)) {
        const auto document = parse_json(binding.binding);
        return std::string(string_member(*document, member));
      }
    return "";
  }

  // A member of a configuration as JSON, "" when it isn't there.
  std::string config(const std::string &stream, const char *member) {
    return member_of(jetstream.stream_info(stream), member);
  }
  std::string consumer_config(const std::string &stream, const std::string &consumer, const char *member) {
    return member_of(jetstream.consumer_info(stream, consumer), member);
  }
  std::set<std::string> streams() { return names("STREAM.NAMES", "streams"); }
  std::set<std::string> consumers(const std::string &stream) { return names("CONSUMER.NAMES." + stream, "consumers"); }

private:
  static std::string member_of(const Result<JsonDocument> &info, const char *member) {
    if (!info) return info.error().text();
    const JsonValue *value = find_member((*info)["config"], member);
    return value ? to_json(*value) : "";
  }
  std::set<std::string> names(const std::string &what, const char *member) {
    std::set<std::string> out;
    const auto list = jetstream.api(what);
    REQUIRE(list);
    if (const JsonValue *found = find_member(*list, member); found && found->IsArray())
      for (const JsonValue &name : found->GetArray())
        out.emplace(text_of(name));
    return out;
  }
};

} // namespace trellis::auth::testing
