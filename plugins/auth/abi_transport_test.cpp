// AbiTransport over a table that really delivers: the host's side of the C boundary on a transport of sdk/nats.
#include "abi_transport.h"
#include "nats/nats_test_support.h"
#include "support/nats_server.h"
#include "support/wait_until.h"
#include "transport/kv.h"
#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <map>
#include <thread>

using namespace trellis;
using namespace trellis::auth;
using namespace trellis::test;
using namespace std::chrono_literals;

struct trellis_connection {
  NatsTransport *transport;
  std::mutex mutex; // guards the two below
  std::map<trellis_subscription, std::unique_ptr<Subscription>> subscriptions;
  trellis_subscription next = 1;
};

namespace {

trellis_str lend(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view view(trellis_str text) {
  return {text.data, text.size};
}

trellis_status status_of(const Error &error) {
  if (error.code == transport_error::kTimeout) return TRELLIS_E_TIMEOUT;
  if (error.code == transport_error::kTooLarge) return TRELLIS_E_TOO_LARGE;
  if (error.code == transport_error::kInvalid) return TRELLIS_E_INVALID;
  if (error.code == transport_error::kDenied) return TRELLIS_E_DENIED;
  return TRELLIS_E_UNAVAILABLE;
}

// Lends `message` to `use` and overwrites what was lent afterwards: whoever kept a pointer reads garbage.
void lend_message(const Message &message, const std::function<void(const trellis_message *)> &use) {
  std::string subject(message.subject()), reply(message.reply()), payload(message.payload());
  Headers headers = message.headers();
  std::vector<trellis_header> lent;
  for (const auto &header : headers)
    lent.push_back({lend(header.name), lend(header.value)});
  const trellis_message out{sizeof out, 0, lend(subject), lend(reply), lend(payload), lent.data(), lent.size()};
  use(&out);
  for (std::string *text : {&subject, &reply, &payload})
    text->assign(text->size(), '#');
  for (auto &header : headers)
    header.name.assign(header.name.size(), '#'), header.value.assign(header.value.size(), '#');
}

Headers headers_of(const trellis_header *headers, std::size_t count) {
  Headers out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back({std::string(view(headers[i].name)), std::string(view(headers[i].value))});
  return out;
}

trellis_status host_publish(trellis_connection *connection, trellis_str subject, trellis_str reply, trellis_str payload,
                            const trellis_header *headers, size_t count) {
  const Headers list = headers_of(headers, count);
  const auto done = connection->transport->publish({.subject = view(subject),
                                                    .reply = view(reply),
                                                    .payload = view(payload),
                                                    .headers = list.empty() ? nullptr : &list});
  return done ? TRELLIS_OK : status_of(done.error());
}

void host_request(trellis_connection *connection, trellis_str subject, trellis_str payload,
                  const trellis_header *headers, size_t count, uint32_t timeout_ms, trellis_message_reply_fn reply,
                  void *context) {
  const Headers list = headers_of(headers, count);
  connection->transport->request(
      {.subject = view(subject), .payload = view(payload), .headers = list.empty() ? nullptr : &list},
      std::chrono::milliseconds(timeout_ms), [reply, context](Result<MessagePtr> answer) {
        if (!answer) return reply(context, status_of(answer.error()), nullptr);
        lend_message(**answer, [&](const trellis_message *message) { reply(context, TRELLIS_OK, message); });
      });
}

trellis_status host_subscribe(trellis_connection *connection, trellis_str subject, trellis_str queue_group,
                              trellis_message_fn on_message, void *context, trellis_subscription *out) {
  auto made = connection->transport->subscribe(
      std::string(view(subject)), std::string(view(queue_group)), [on_message, context](MessagePtr message) {
        lend_message(*message, [&](const trellis_message *lent) { on_message(context, lent); });
      });
  if (!made) return status_of(made.error());
  const std::lock_guard lock(connection->mutex);
  *out = connection->next++;
  connection->subscriptions[*out] = std::move(*made);
  return TRELLIS_OK;
}

void host_unsubscribe(trellis_connection *connection, trellis_subscription subscription) {
  std::unique_ptr<Subscription> ended;
  const std::lock_guard lock(connection->mutex);
  if (const auto found = connection->subscriptions.extract(subscription)) ended = std::move(found.mapped());
}

trellis_status host_flush(trellis_connection *connection, uint32_t timeout_ms) {
  const auto done = connection->transport->flush(std::chrono::milliseconds(timeout_ms));
  return done ? TRELLIS_OK : status_of(done.error());
}

size_t host_max_payload(trellis_connection *connection) {
  return connection->transport->max_payload();
}

constexpr trellis_connections_v1 kTable{
    sizeof kTable,    0,          nullptr,         host_publish, host_request, host_subscribe,
    host_unsubscribe, host_flush, host_max_payload};

struct Fixture {
  NatsServer server;
  std::unique_ptr<NatsLoop> loop = start_loop();
  std::unique_ptr<NatsTransport> host = open_connected(*loop, server.url());
  trellis_connection connection{host.get(), {}, {}, 1};
  AbiTransport transport{kTable, &connection};
};

// Messages that a callback handed over.
class Inbox {
public:
  Transport::OnMessage receiver() {
    return [this](MessagePtr message) {
      const std::lock_guard lock(mutex_);
      messages_.push_back(std::move(message));
      arrived_.notify_all();
    };
  }
  MessagePtr next() {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_for(lock, 20s, [this] { return !messages_.empty(); })) throw std::runtime_error("no message");
    auto out = std::move(messages_.front());
    messages_.erase(messages_.begin());
    return out;
  }

private:
  std::mutex mutex_; // guards messages_
  std::condition_variable arrived_;
  std::vector<MessagePtr> messages_;
};

} // namespace

TEST_CASE("a message is a copy that outlives the host's callback") {
  Fixture f;
  Inbox inbox;
  const auto subscription = f.transport.subscribe("a.*", "", inbox.receiver());
  REQUIRE(subscription);
  const Headers headers{{"Name", "value"}, {"name", "other"}};
  REQUIRE(f.transport.publish({.subject = "a.b", .reply = "r", .payload = "payload", .headers = &headers}));
  const auto message = inbox.next();
  CHECK(message->subject() == "a.b");
  CHECK(message->reply() == "r");
  CHECK(message->payload() == "payload");
  CHECK(message->header("Name") == "value");
  CHECK(message->header("name") == "other");
  CHECK(message->header("NAME").empty());
  CHECK(message->headers().size() == 2);
}

TEST_CASE("a message may be answered later, and one that wants no answer says so") {
  Fixture f;
  Inbox inbox;
  const auto subscription = f.transport.subscribe("echo", "workers", inbox.receiver());
  REQUIRE(subscription);
  Result<void> responded;
  std::thread worker([&] {
    const auto message = inbox.next();
    const Headers headers{{"seen", std::string(message->header("request-id"))}};
    responded = message->respond(message->payload(), &headers);
  });
  const Headers headers{{"request-id", "r1"}};
  const auto reply = request_and_wait(f.transport, {.subject = "echo", .payload = "hello", .headers = &headers}, 20s);
  worker.join();
  CHECK(responded);
  REQUIRE(reply);
  CHECK((*reply)->payload() == "hello");
  CHECK((*reply)->header("seen") == "r1");

  REQUIRE(f.transport.publish({.subject = "echo"}));
  CHECK(inbox.next()->respond("x", nullptr).error().code == transport_error::kNoReply);
}

TEST_CASE("the host's statuses become the codes of a transport, with the subject") {
  Fixture f;
  const auto nobody = request_and_wait(f.transport, {.subject = "nobody"}, 20s);
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().code == transport_error::kNoResponders);
  CHECK(nobody.error().where == "nobody");
  const auto silent = f.transport.subscribe("silent", "", [](MessagePtr) {});
  CHECK(request_and_wait(f.transport, {.subject = "silent"}, 50ms).error().code == transport_error::kTimeout);
  CHECK(f.transport.publish({.subject = "a b"}).error().code == transport_error::kInvalid);
  CHECK(f.transport.subscribe("a b", "", [](MessagePtr) {}).error().code == transport_error::kInvalid);
  const std::string over(f.transport.max_payload() + 1, 'x');
  CHECK(f.transport.publish({.subject = "a", .payload = over}).error().code == transport_error::kTooLarge);
  CHECK(request_and_wait(f.transport, {.subject = "a", .payload = over}, 20s).error().code ==
        transport_error::kTooLarge);
  f.host->close(5s);
  CHECK(f.transport.publish({.subject = "a"}).error().code == transport_error::kClosed);
  CHECK(f.transport.flush(1s).error().code == transport_error::kClosed);
}

TEST_CASE("a subscription ends with its object, and drain tells when it has") {
  Fixture f;
  std::atomic<int> count = 0;
  auto first = f.transport.subscribe("a", "", [&](MessagePtr) { ++count; });
  auto second = f.transport.subscribe("a", "", [&](MessagePtr) { ++count; });
  REQUIRE((first && second));
  REQUIRE(f.transport.publish({.subject = "a"}));
  CHECK(wait_until([&] { return count == 2; }));
  first->reset();
  bool drained = false;
  (*second)->drain([&] { drained = true; });
  CHECK(drained);
  CHECK(f.connection.subscriptions.empty());
  REQUIRE(f.transport.publish({.subject = "a"}));
  REQUIRE(f.transport.flush(20s));
  CHECK(count == 2);
}

TEST_CASE("KV works across the boundary") {
  Fixture f;
  REQUIRE(Kv::ensure(f.transport, {.bucket = "b"}));
  Kv kv(f.transport, "b");
  const auto revision = kv.create("k", "one");
  REQUIRE(revision);
  CHECK(kv.create("k", "two").error().code == kv_error::kExists);
  REQUIRE(kv.update("k", "two", *revision));
  CHECK((**kv.get("k")).value == "two");
  CHECK(kv.keys(">").value().size() == 1);
}
