// event-wire: live and durable consumption on a real nats-server (README §3.4).
#include "event_cases.h"

#include "contracts/json_write.h"
#include "nats/nats_test_support.h"
#include "output.h"
#include "runtime/event_group.h"
#include "runtime/event_listener.h"
#include "support/nats_server.h"
#include "support/wait_until.h"
#include "transport/jetstream.h"
#include "wire/ulid.h"
#include <map>
#include <mutex>
#include <rapidjson/document.h>
#include <set>

namespace trellis::vectors::events {
namespace {

constexpr std::chrono::seconds kLimit{60};
constexpr char kConsumer[] = "tr_cons_vectors";

// Handlers run where the message is: one at a time is what the vectors describe.
bool run_at_once(const EventTask &task) {
  task.run(task.owner, task.argument);
  return true;
}

Output context_output(const EventDelivery &event) {
  Output out;
  out.text("id", event.id).text("time", iso_time(event.time_unix_ms)).text("subject", event.subject);
  out.text("mode", event.group.empty() ? "ephemeral" : "durable");
  if (!event.group.empty()) out.text("group", event.group).number("sequence", static_cast<double>(event.sequence));
  return out;
}

// message -> how the handler fails with it.
std::map<std::string, std::string> failures_in(const JsonValue *fails) {
  std::map<std::string, std::string> out;
  if (!fails) return out;
  for (const auto &entry : fails->GetObject()) {
    const auto how = text_of(entry.value);
    if (how != "throw" && how != "err") throw std::runtime_error("unknown failure " + std::string(how));
    out.emplace(text_of(entry.name), how);
  }
  return out;
}

std::string message_of(const EventDelivery &event) {
  return std::string(string_member(value_of(parse_json(event.payload)), "message"));
}

Result<void> outcome(const std::map<std::string, std::string> &failures, const std::string &message) {
  if (failures.contains(message)) return fail("handler", message, "fails in this case");
  return {};
}

void check_message(const JsonValue &message) {
  for (const auto &member : message.GetObject())
    if (const auto name = text_of(member.name); name != "subject" && name != "payload")
      throw std::runtime_error("unknown member " + std::string(name) + " of a message");
}

// A participant whose requests are written down.
class Watched : public Transport {
public:
  explicit Watched(Transport &inner) : inner_(inner) {}

  struct Sent {
    std::string subject, payload;
  };
  std::vector<Sent> sent() const {
    const std::lock_guard lock(mutex_);
    return sent_;
  }

  Result<void> publish(const Outbound &message) override {
    note(message);
    return inner_.publish(message);
  }
  Result<std::unique_ptr<Subscription>> subscribe(std::string subject, std::string queue_group,
                                                  OnMessage on_message) override {
    return inner_.subscribe(std::move(subject), std::move(queue_group), std::move(on_message));
  }
  void request(const Outbound &message, std::chrono::milliseconds timeout, OnReply on_reply) override {
    note(message);
    inner_.request(message, timeout, std::move(on_reply));
  }
  std::size_t max_payload() const override { return inner_.max_payload(); }
  Result<void> flush(std::chrono::milliseconds timeout) override { return inner_.flush(timeout); }

private:
  void note(const Outbound &message) {
    const std::lock_guard lock(mutex_);
    sent_.push_back({std::string(message.subject), std::string(message.payload)});
  }

  Transport &inner_;
  mutable std::mutex mutex_; // guards sent_
  std::vector<Sent> sent_;
};

} // namespace

JsonDocument ephemeral(const Input &input, const CaseContext &context) {
  const auto type = fixture_event(context, input.text("event"));
  const auto subject_data = to_json(input.at("subjectData"));
  const auto &messages = input.at("messages");
  const auto &handler = input.at("handler");
  for (const auto &member : handler.GetObject())
    if (text_of(member.name) != "fails") throw std::runtime_error("unknown member of handler");
  const auto failures = failures_in(find_member(handler, "fails"));

  const test::NatsServer server;
  const auto loop = test::start_loop();
  const auto publisher = test::open_connected(*loop, server.url());
  const auto transport = test::open_connected(*loop, server.url());

  Output deliveries(rapidjson::kArrayType);
  EventListener listener({type,
                          [&](const EventDelivery &event) {
                            const auto payload = value_of(parse_json(event.payload));
                            deliveries.push(
                                std::move(Output().json("event", payload).json("context", context_output(event))));
                            return outcome(failures, message_of(event));
                          }},
                         run_at_once, 1000, [](const EventReport &) {});
  auto subscription = value_of(transport->subscribe(value_of(listener_subject(*type, subject_data)), {},
                                                    [&](MessagePtr message) { listener.arrive(std::move(message)); }));
  value_of(transport->flush(kLimit));
  for (const auto &message : messages.GetArray()) {
    check_message(message);
    value_of(publisher->publish(
        {.subject = string_member(message, "subject"), .payload = string_member(message, "payload")}));
  }
  value_of(publisher->flush(kLimit));
  value_of(transport->flush(kLimit)); // behind all that the server has sent
  bool drained = false;
  std::mutex mutex;
  subscription->drain([&] {
    const std::lock_guard lock(mutex);
    drained = true;
  });
  const auto is_drained = [&] {
    const std::lock_guard lock(mutex);
    return drained;
  };
  if (!test::wait_until(is_drained, kLimit)) throw std::runtime_error("the subscription doesn't drain");
  listener.wait_idle(EventListener::Clock::now() + kLimit);
  return Output().json("deliveries", std::move(deliveries)).take();
}

namespace {

// One durable case: a stream, a consumer, a group.
class DurableCase {
public:
  DurableCase(const Input &input, const CaseContext &context) : contract_(fixture_contract(context)) {
    const auto &group = input.at("group");
    config_.group = string_member(group, "name");
    for (const auto &name : group["self"].GetArray())
      config_.events.push_back({contract_.id(), std::string(text_of(name))});
    for (const auto &registration : input.at("registrations").GetArray())
      add_handler(registration, context);
    transport_ = test::open_connected(*loop_, server_.url());
    watched_ = std::make_unique<Watched>(*transport_);
    value_of(jetstream().create_stream("trellis", R"({"name":"trellis","subjects":["events.>"]})"));
    value_of(jetstream().create_consumer("trellis", consumer_text(input.at("consumer"))));
    for (const auto &message : input.at("messages").GetArray()) {
      check_message(message);
      value_of(jetstream().publish(string_member(message, "subject"), string_member(message, "payload")));
    }
    config_.consumer = {"trellis", kConsumer};
    config_.inbox_prefix = "_INBOX.vectors";
    config_.post = run_at_once;
    config_.report = [](const EventReport &) {};
  }

  JsonDocument run() {
    const bool starts = events_without_handler(config_).empty();
    EventGroup group(*watched_, config_);
    if (starts && !test::wait_until([&] { return is_quiet(); }, kLimit)) throw std::runtime_error("it doesn't end");
    group.drain();
    group.stop(EventGroup::Clock::now() + kLimit);
    return result();
  }

private:
  JetStream jetstream() { return JetStream(*transport_); }

  void add_handler(const JsonValue &registration, const CaseContext &context) {
    for (const auto &member : registration.GetObject())
      if (const auto name = text_of(member.name); name != "event" && name != "handler" && name != "fails")
        throw std::runtime_error("unknown member " + std::string(name) + " of a registration");
    const std::string name(string_member(registration, "handler"));
    const auto failures = failures_in(find_member(registration, "fails"));
    config_.handlers.push_back({fixture_event(context, string_member(registration, "event")),
                                [this, name, failures](const EventDelivery &event) {
                                  const auto message = message_of(event);
                                  const std::lock_guard lock(mutex_);
                                  if (calls_.empty()) first_ = context_output(event).take();
                                  calls_.push_back(name + ":" + message);
                                  return outcome(failures, message);
                                }});
  }

  std::string consumer_text(const JsonValue &given) const {
    std::set<std::string> filters;
    for (const auto &event : config_.events)
      filters.insert(wildcard_subject(find_named(*contract_.model().events, event.name)->subject));
    JsonObjectText out;
    out.text("durable_name", kConsumer).texts("filter_subjects", {filters.begin(), filters.end()});
    for (const auto &member : given.GetObject())
      if (text_of(member.name) != "durable_name") out.json(text_of(member.name), to_json(member.value));
    return out.str();
  }

  JsonDocument info() { return value_of(jetstream().consumer_info("trellis", kConsumer)); }
  static double pending(const JsonValue &info) {
    return info["num_pending"].GetDouble() + info["num_ack_pending"].GetDouble();
  }
  // Everything is settled, and the next pull waits at the server.
  bool is_quiet() {
    const auto now = info();
    return pending(now) == 0 && now["num_waiting"].GetInt() > 0;
  }

  JsonDocument result() {
    std::vector<std::string> acks, before_first;
    std::string pull_request;
    int pulls = 0;
    for (const auto &sent : watched_->sent()) {
      const bool is_pull = sent.subject.starts_with("$JS.API.CONSUMER.MSG.NEXT.");
      if (sent.subject.starts_with("$JS.ACK.")) acks.push_back(ack_word(sent.payload));
      if (is_pull && pulls++ == 0) pull_request = sent.payload;
      if (pulls == 0) before_first.push_back(sent.subject);
    }
    const std::lock_guard lock(mutex_);
    Output out;
    out.texts("handlerCalls", calls_).texts("acks", acks).number("pullRequests", pulls);
    if (pulls > 0) out.json("pullRequest", value_of(parse_json(pull_request)));
    if (!calls_.empty()) out.json("firstContext", first_);
    if (pulls > 0) out.texts("apiRequestsBeforeFirstPull", before_first);
    return out.number("pending", pending(info())).take();
  }

  // A NAK may carry the backoff as its delay (06 §12.8).
  static std::string ack_word(const std::string &body) { return body.starts_with("-NAK ") ? "-NAK" : body; }

  const Manifest contract_;
  test::NatsServer server_;
  std::unique_ptr<NatsLoop> loop_ = test::start_loop();
  std::unique_ptr<NatsTransport> transport_;
  std::unique_ptr<Watched> watched_;
  EventGroupConfig config_;
  std::mutex mutex_; // guards what follows
  std::vector<std::string> calls_;
  JsonDocument first_;
};

} // namespace

JsonDocument durable(const Input &input, const CaseContext &context) {
  (*context.values)["consumer"] = kConsumer;
  return DurableCase(input, context).run();
}

} // namespace trellis::vectors::events
