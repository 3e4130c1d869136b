// A service with exactly the permissions that 02 §9.2 derives from its bindings can use each of its resources, and not
// change them.
#include "contracts/authority.h"
#include "resources_fixture.h"
#include "support/wait_until.h"
#include "transport/kv.h"
#include <future>
#include <memory>

using namespace trellis;
using namespace trellis::auth;
using namespace trellis::auth::testing;

namespace {

constexpr char kSession[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq"; // 43 characters; the first 16 name the inbox

std::string subject_list(const std::vector<std::string> &subjects) {
  const std::string object = JsonObjectText().texts("x", subjects).str();
  return object.substr(5, object.size() - 6);
}

// nats.conf: everything for "admin", what the bindings give for "service".
std::string users(const std::vector<StoredBinding> &bindings) {
  std::string permissions;
  if (!bindings.empty()) {
    const auto issued = service_permissions({}, binding_refs(bindings), kSession);
    permissions = ", permissions: {publish: {allow: " + subject_list(issued.publish) +
                  "}, subscribe: {allow: " + subject_list(issued.subscribe) + "}}";
  }
  return "authorization { users: [{user: admin, password: admin}, {user: service, password: service" + permissions +
         "}] }";
}

struct ServiceFixture : ResourcesFixture {
  ServiceFixture() : ResourcesFixture({.text = users({})}, "admin") {
    make_event_stream();
    provisioned(one_of_each());
    server.set_text(users(stored));
    server.restart();
    auto options = test::Log::plain_options(server.url_as("service", "service"));
    options.inbox_prefix = inbox_prefix;
    service = test::open_connected(*loop, options);
    REQUIRE(test::wait_until([&] { return jetstream.stream_info("trellis").has_value(); })); // it is up again
  }

  // The next message of a pull consumer, acknowledged. Not by request(): it arrives under its own subject, not the
  // inbox's.
  std::string pull(const std::string &stream, const std::string &consumer) {
    const std::string subject = "$JS.API.CONSUMER.MSG.NEXT." + stream + "." + consumer;
    const std::string inbox = inbox_prefix + ".pull." + stream;
    const auto arrived = std::make_shared<std::promise<MessagePtr>>();
    const auto subscription =
        service->subscribe(inbox, "", [arrived](MessagePtr message) { arrived->set_value(std::move(message)); });
    REQUIRE(subscription);
    REQUIRE(service->publish({.subject = subject, .reply = inbox, .payload = R"({"batch":1,"expires":20000000000})"}));
    auto next = arrived->get_future();
    if (next.wait_for(std::chrono::seconds(20)) != std::future_status::ready) return "nothing came";
    const MessagePtr message = next.get();
    REQUIRE(service->publish({.subject = message->reply(), .payload = "+ACK"}));
    return std::string(message->payload());
  }
  bool is_settled(const std::string &stream, const std::string &consumer) {
    return test::wait_until([&] {
      const auto info = jetstream.consumer_info(stream, consumer);
      return info && (*info)["num_ack_pending"].GetInt64() == 0 && (*info)["ack_floor"]["stream_seq"].GetInt64() > 0;
    });
  }

  const std::string inbox_prefix = "_INBOX." + std::string(kSession).substr(0, 16);
  std::unique_ptr<NatsTransport> service;
};

} // namespace

TEST_CASE("the permissions of a service are enough to use each kind of its resources") {
  ServiceFixture f;
  JetStream own(*f.service);

  Kv cache(*f.service, f.name("kv", "bucket"));
  REQUIRE(cache.put("key", "1"));
  CHECK(cache.get("key").value()->value == "1");
  CHECK(cache.keys(">").value() == std::vector<std::string>{"key"});
  CHECK(own.last_on("KV_" + f.name("kv", "bucket"), "$KV." + f.name("kv", "bucket") + ".key").value()); // direct

  const std::string files = f.name("store", "name"), chunk = "$O." + files + ".C.n1";
  REQUIRE(own.publish(chunk, "bytes"));
  CHECK(own.stream_info("OBJ_" + files));
  CHECK(own.last_on_leader("OBJ_" + files, chunk).value()->payload == "bytes");
  CHECK(own.api("STREAM.PURGE.OBJ_" + files, R"({"filter":")" + chunk + R"("})"));

  const std::string group = f.name("event-consumer", "consumerName");
  REQUIRE(f.jetstream.publish("events.v1.A", "event"));
  CHECK(own.consumer_info("trellis", group));
  CHECK(f.pull("trellis", group) == "event");
  CHECK(f.is_settled("trellis", group));

  const std::string queue = f.name("jobs", "consumerName"), created = f.name("jobs", "publishPrefix") + ".J1.created";
  REQUIRE(own.publish(created, "job"));
  CHECK(own.last_on("JOBS", created).value()->payload == "job");
  CHECK(f.pull("JOBS_WORK", queue) == "job");
  CHECK(f.is_settled("JOBS_WORK", queue));
}

TEST_CASE("the permissions of a service don't reach beyond what is bound to it") {
  ServiceFixture f;
  JetStream own(*f.service, std::chrono::milliseconds(500));
  CHECK_FALSE(own.delete_stream("KV_" + f.name("kv", "bucket")));
  CHECK_FALSE(own.update_stream("KV_" + f.name("kv", "bucket"), "{}"));
  CHECK_FALSE(own.create_consumer("trellis", R"({"durable_name":"spy","ack_policy":"explicit"})"));
  CHECK_FALSE(own.create_consumer("JOBS_WORK", R"({"durable_name":"spy","ack_policy":"explicit"})"));
  CHECK_FALSE(own.delete_consumer("trellis", f.name("event-consumer", "consumerName")));
  CHECK_FALSE(own.stream_info("JOBS"));
  CHECK_FALSE(own.publish("trellis.jobs.other.q.J1.created", "job"));
  CHECK(f.consumers("trellis").size() == 1);
  CHECK(f.streams().contains("KV_" + f.name("kv", "bucket")));
}
