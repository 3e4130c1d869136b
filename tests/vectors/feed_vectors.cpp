// feed-wire: what a subscriber sends, and how it reads the frames that it gets.
//
// The frames of a case come from a service that is played here, on a real nats-server, so that a case about nobody
// who serves the feed sees the server's own frame.

#include "feed_cases.h"

#include "contracts/json_write.h"
#include "nats/nats_transport.h"
#include "runtime/fake_transport.h"
#include "runtime/feed_client.h"
#include "support/nats_server.h"
#include <chrono>
#include <optional>

namespace trellis::vectors {
namespace feeds {
namespace {

using namespace rpc;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kConnectTimeout{20};
constexpr milliseconds kQuiet{150}; // README §3.4: still open after this
constexpr milliseconds kNoFrame{300};
constexpr std::string_view kFeed = "Ghost.Feed"; // the one that nobody of the fixtures serves

struct Connection {
  explicit Connection(const SessionKey &key) : server({"", false, false}), loop(value_of(NatsLoop::start())) {
    NatsOptions options;
    options.servers = {server.url()};
    options.inbox_prefix = key.inbox_prefix();
    transport = NatsTransport::open(*loop, options);
    if (!transport->wait_connected(kConnectTimeout)) throw std::runtime_error("no connection to nats-server");
  }
  ~Connection() { transport->close(kConnectTimeout); }

  trellis::test::NatsServer server;
  std::unique_ptr<NatsLoop> loop;
  std::unique_ptr<NatsTransport> transport;
};

Headers read_headers(const JsonValue &headers) {
  Headers out;
  for (const auto &header : headers.GetObject())
    out.push_back({std::string(text_of(header.name)), std::string(text_of(header.value))});
  return out;
}

// Answers each subscriber with the case's frames, and nothing more.
std::unique_ptr<Subscription> serve(NatsTransport &transport, const std::string &subject, const JsonValue &frames) {
  return value_of(transport.subscribe(subject, subject, [&frames](const MessagePtr &message) {
    for (const auto &frame : frames.GetArray()) {
      const auto headers = read_headers(*find_member(frame, "headers"));
      (void)message->respond(string_member(frame, "payload"), &headers);
    }
  }));
}

// An input that the feed takes: a text for each required member.
std::string least_input(const JsonValue &schema) {
  JsonObjectText out;
  if (const auto *required = find_member(schema, "required"))
    for (const auto &name : required->GetArray())
      out.text(text_of(name), "x");
  return out.str();
}

std::shared_ptr<const FeedMethod> fixture_feed(const Manifest &manifest, std::string_view name) {
  return std::make_shared<const FeedMethod>(value_of(compile_feed(manifest, name)));
}

// The events, and how the stream stands when none has come for a while.
void read_stream(FeedReader &reader, JsonDocument &out) {
  JsonDocument events;
  events.SetArray();
  std::optional<CallError> end;
  for (;;) {
    const auto item = reader.next(FeedReader::Clock::now() + kQuiet);
    if (!item) end = item.error();
    if (!item || item->kind == FeedReader::Kind::nothing) break;
    if (item->kind == FeedReader::Kind::event)
      events.PushBack(JsonValue(value_of(parse_json(item->event)), events.GetAllocator()), events.GetAllocator());
  }
  put(out, "events", events);
  put(out, "state", end ? "ended" : "open");
  if (end) put(out, "error", error_value(end->envelope));
}

} // namespace

JsonDocument client(const Input &input, const CaseContext &context) {
  const auto manifest = fixture_manifest(context);
  const auto feed = fixture_feed(manifest, input.text_or("feed", kFeed));
  const auto condition = input.text_or("condition", "");
  if (!condition.empty() && condition != "no_subscriber") throw std::runtime_error("unknown condition " + condition);
  const auto key = fixture_key(context, "callerSeed");
  const Connection connection(key);
  std::unique_ptr<Subscription> served;
  if (condition.empty()) served = serve(*connection.transport, feed->subject, input.at("frames"));
  value_of(connection.transport->flush(kConnectTimeout));

  FeedOptions options;
  options.timeout = kNoFrame;
  FeedReader reader({*connection.transport, key, [] { return std::int64_t{0}; }}, feed,
                    least_input(*manifest.schema(find_named(*manifest.model().feeds, feed->name)->input)), options);
  const auto opened = reader.open();
  JsonDocument out;
  out.SetObject();
  put(out, "subscribe", opened ? "ok" : "error");
  if (opened)
    read_stream(reader, out);
  else
    put(out, "error", error_value(opened.error().envelope));
  return out;
}

JsonDocument client_request(const Input &input, const CaseContext &context) {
  const auto manifest = fixture_manifest(context);
  const auto feed = fixture_feed(manifest, input.text("feed"));
  const auto *seed = input.find("sessionSeed");
  const auto *iat = input.find("iat");
  const auto key = seed ? value_of(SessionKey::from_seed(text_of(*seed))) : fixture_key(context, "callerSeed");
  const Connection connection(key);
  JsonDocument out;
  out.SetObject();
  const auto subject = wildcard_subject(feed->subject);
  const auto wire = value_of(connection.transport->subscribe(subject, {}, [&](const MessagePtr &message) {
    const auto prefix = key.inbox_prefix() + ".";
    put(out, "subject", message->subject());
    put(out, "headers", headers_value(message->headers()));
    put(out, "payload", message->payload());
    if (context.expected && find_member(*context.expected, "payloadSha256"))
      put(out, "payloadSha256", sha256_base64url(message->payload()));
    put(out, "replyPrefix", message->reply().starts_with(prefix) ? std::string_view(prefix) : message->reply());
    (void)message->respond("{}");
  }));
  value_of(connection.transport->flush(kConnectTimeout));

  FeedOptions options;
  options.request_id = input.text_or("requestId", "r");
  FeedReader reader({*connection.transport, key, [&] { return iat ? iat->GetInt64() : 0; }}, feed,
                    to_json(input.at("args")), options);
  const auto opened = reader.open();
  if (!opened) return not_sent(opened.error().envelope);
  return out;
}

} // namespace feeds

void register_feeds(Registry &registry) {
  auto &kinds = registry["feed-wire"];
  kinds["service"] = {feeds::service, {.subset = {"handlerContext"}, .json_texts = {"payload"}}};
  kinds["client"] = {feeds::client, {}};
  kinds["client_request"] = {feeds::client_request, {}};
}

} // namespace trellis::vectors
