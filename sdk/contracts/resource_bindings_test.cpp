#include "contracts/resource_bindings.h"

#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;

namespace {

// Upper case, as ULIDs are made; each one is new.
struct Tokens {
  int made = 0;
  std::string next() {
    const std::string number = std::to_string(++made);
    return "01ABCDEFGHJKMNPQRSTVWX" + std::string(4 - number.size(), '0') + number;
  }
};

struct Given {
  std::string own = {}, jobs_namespace = {};
};

Result<ResourceBinding> bind(ResourceKind kind, const std::string &definition, const Given &given = {}) {
  Tokens tokens;
  return bind_resource({kind, "x", true, definition}, {given.own, given.jobs_namespace}, [&] { return tokens.next(); });
}

template <class Binding>
Binding bound(ResourceKind kind, const std::string &definition, const Given &given = {}) {
  auto binding = bind(kind, definition, given);
  if (!binding) FAIL(binding.error().text());
  REQUIRE(std::holds_alternative<Binding>(*binding));
  return std::get<Binding>(*binding);
}

JobsBinding queue(const std::string &members, const Given &given = {}) {
  return bound<JobsBinding>(ResourceKind::jobs,
                            R"({"payload":{"schema":"P"})" + (members.empty() ? "" : "," + members) + "}", given);
}

EventConsumerBinding consumer(const std::string &members) {
  return bound<EventConsumerBinding>(ResourceKind::event_consumer,
                                     R"({"stream":"trellis","filterSubjects":["events.v1.A"])" +
                                         (members.empty() ? "" : "," + members) + "}");
}

std::string mistake(ResourceKind kind, const std::string &definition, const Given &given = {}) {
  const auto binding = bind(kind, definition, given);
  if (binding) return "";
  CHECK(binding.error().code == "resource_definition");
  return binding.error().text();
}

using Backoff = std::vector<std::int64_t>;

} // namespace

TEST_CASE("Names are made of a lower-case token, and cut where the protocol cuts them") {
  CHECK(bound<KvBinding>(ResourceKind::kv, "{}").bucket == "tr_kv_01abcdefghjkmnpqrstvwx0001");
  CHECK(bound<StoreBinding>(ResourceKind::store, "{}").name == "tr_obj_01abcdefghjkmnpqrstvwx0001");
  CHECK(consumer("").consumer_name == "tr_cons_01abcdefghjkmnpqrstvwx0001");
  const auto jobs = queue("");
  CHECK(jobs.name_space == "tr_jobs_01abcdefghjkmnpqrstvwx00"); // 32
  CHECK(jobs.publish_prefix == "trellis.jobs." + jobs.name_space + ".tr_jq_01abcdefghjkmnpqrstvwx0002");
  CHECK(jobs.work_subject == "trellis.work." + jobs.name_space + ".tr_jq_01abcdefghjkmnpqrstvwx0002");
  CHECK(jobs.consumer_name == jobs.name_space + "_tr_jq_01abcdefghjkmnpqrstvwx000"); // 64: the last character is lost
}

TEST_CASE("Stored names are kept whatever their form") {
  CHECK(bound<KvBinding>(ResourceKind::kv, "{}", {.own = R"({"bucket":"orders-cache"})"}).bucket == "orders-cache");
  CHECK(bound<StoreBinding>(ResourceKind::store, "{}", {.own = R"({"name":"files"})"}).name == "files");
  const auto jobs =
      queue("", {.own = R"({"namespace":"old","publishPrefix":"trellis.jobs.n.q","workSubject":"trellis.work.n.q",
                      "consumerName":"ünï"})"});
  CHECK(jobs.name_space == "old");
  CHECK(jobs.publish_prefix == "trellis.jobs.n.q");
  CHECK(jobs.work_subject == "trellis.work.n.q");
  CHECK(jobs.consumer_name == "ünï");
}

TEST_CASE("A stored name that would be another subject is refused") {
  CHECK(mistake(ResourceKind::kv, "{}", {.own = R"({"bucket":"a.>"})"}).find("a.>") != std::string::npos);
  CHECK(mistake(ResourceKind::store, "{}", {.own = R"({"name":"a b"})"}).find("a b") != std::string::npos);
  CHECK_FALSE(mistake(ResourceKind::jobs, R"({"payload":{"schema":"P"}})",
                      {.own = R"({"publishPrefix":"trellis.jobs.*","workSubject":"w","consumerName":"c"})"})
                  .empty());
}

TEST_CASE("A queue that is new in a deployment with queues shares their namespace") {
  const auto jobs = queue("", {.own = "", .jobs_namespace = "tr_jobs_first"});
  CHECK(jobs.name_space == "tr_jobs_first");
  CHECK(jobs.publish_prefix == "trellis.jobs.tr_jobs_first.tr_jq_01abcdefghjkmnpqrstvwx0001");
}

TEST_CASE("A queue's namespace member becomes the deployment's first, and its subjects stay") {
  const auto jobs = queue("", {.own = R"({"namespace":"second","publishPrefix":"trellis.jobs.second.q",
                                         "workSubject":"trellis.work.second.q","consumerName":"second_q"})",
                               .jobs_namespace = "first"});
  CHECK(jobs.name_space == "first");
  CHECK(jobs.publish_prefix == "trellis.jobs.second.q");
  CHECK(jobs.consumer_name == "second_q");
}

TEST_CASE("The deployment's namespace is that of its first jobs binding in alias order that has one") {
  CHECK(jobs_namespace({{ResourceKind::jobs, "b", R"({"namespace":"of b"})"},
                        {ResourceKind::kv, "a", R"({"namespace":"of a bucket"})"},
                        {ResourceKind::jobs, "a", "{}"}}) == "of b");
  CHECK(jobs_namespace({{ResourceKind::jobs, "a", "no JSON"}}).empty());
}

TEST_CASE("The default backoff of a queue is cut to its deliveries, another list never") {
  CHECK(queue("").backoff_ms == Backoff{5000, 30000, 120000, 600000});
  CHECK(queue(R"("backoffMs":[5000,30000,120000,600000,1800000])").backoff_ms.size() == 5);
  CHECK(queue(R"("backoffMs":[5000,30000,120000,600000,1800000],"maxDeliver":2)").backoff_ms == Backoff{5000, 30000});
  CHECK(queue(R"("backoffMs":[1,2,3],"maxDeliver":2)").backoff_ms == Backoff{1, 2, 3});
  CHECK(queue(R"("backoffMs":[],"maxDeliver":1)").backoff_ms.empty());
  CHECK(queue(R"("maxDeliver":1)").backoff_ms.empty());
}

TEST_CASE("What a definition of a queue leaves out has the protocol's default") {
  const auto jobs = queue("");
  CHECK(jobs.queue_type == "x");
  CHECK(jobs.work_stream == "JOBS_WORK");
  CHECK(jobs.max_deliver == 5);
  CHECK(jobs.ack_wait_ms == 300000);
  CHECK(jobs.concurrency == 1);
  CHECK((jobs.progress && jobs.logs && jobs.dlq));
  CHECK_FALSE(jobs.default_deadline_ms);
  CHECK_FALSE(queue(R"("defaultDeadlineMs":0)").default_deadline_ms);
  CHECK(queue(R"("defaultDeadlineMs":7)").default_deadline_ms == 7);
}

TEST_CASE("The default backoff of an event consumer is cut to one less than its deliveries") {
  CHECK(consumer("").backoff_ms == Backoff{5000, 30000, 120000, 600000, 1800000});
  CHECK(consumer(R"("maxDeliver":3)").backoff_ms == Backoff{5000, 30000});
  CHECK(consumer(R"("maxDeliver":1)").backoff_ms.empty());
  CHECK(consumer(R"("maxDeliver":1,"backoffMs":[9])").backoff_ms == Backoff{9}); // definitions are cut where they arise
}

TEST_CASE("A definition with a number, flag or reference that can't be is refused by member") {
  CHECK(mistake(ResourceKind::kv, R"({"history":-1})").find(R"(kv "x".history)") != std::string::npos);
  CHECK(mistake(ResourceKind::kv, R"({"ttlMs":0.5})").find("0.5") != std::string::npos);
  CHECK(mistake(ResourceKind::kv, R"({"ttlMs":"1"})").find("ttlMs") != std::string::npos);
  CHECK(mistake(ResourceKind::kv, R"({"ttlMs":9223372036855})").find("9223372036854") != std::string::npos);
  CHECK(mistake(ResourceKind::kv, R"({"ttlMs":1e400})").find("ttlMs") != std::string::npos);
  CHECK(mistake(ResourceKind::kv, R"({"maxValueBytes":2147483648})").find("2147483647") != std::string::npos);
  CHECK(mistake(ResourceKind::store, R"({"maxTotalBytes":1e300})").find("maxTotalBytes") != std::string::npos);
  CHECK(mistake(ResourceKind::jobs, "{}").find("payload") != std::string::npos);
  CHECK(mistake(ResourceKind::jobs, R"({"payload":{"schema":"P"},"dlq":1})").find("dlq") != std::string::npos);
  CHECK(mistake(ResourceKind::jobs, R"({"payload":{"schema":"P"},"backoffMs":[1,-2]})").find("-2") !=
        std::string::npos);
  CHECK(mistake(ResourceKind::event_consumer, R"({"filterSubjects":["a"]})").find("stream") != std::string::npos);
  CHECK(mistake(ResourceKind::event_consumer, R"({"stream":"trellis","filterSubjects":[]})").find("filterSubjects") !=
        std::string::npos);
  CHECK_FALSE(mistake(ResourceKind::kv, "[]").empty());
  CHECK_FALSE(mistake(ResourceKind::kv, "{").empty());
  CHECK_FALSE(mistake(ResourceKind::transfer, "{}").empty());
}

TEST_CASE("The largest durations and sizes are taken") {
  CHECK(bound<KvBinding>(ResourceKind::kv, R"({"ttlMs":9223372036854,"maxValueBytes":2147483647})").ttl_ms ==
        9'223'372'036'854);
  CHECK(bound<StoreBinding>(ResourceKind::store, R"({"maxTotalBytes":9007199254740991})").max_total_bytes ==
        9'007'199'254'740'991);
}

TEST_CASE("Bindings hold what their kind needs, and what isn't declared is absent") {
  CHECK(binding_json(KvBinding{"b", 1, 0, {}}) == R"({"bucket":"b","history":1,"ttlMs":0})");
  CHECK(binding_json(KvBinding{"b", 2, 3, 4}) == R"({"bucket":"b","history":2,"ttlMs":3,"maxValueBytes":4})");
  CHECK(binding_json(StoreBinding{"s", 0, 5, 6}) == R"({"name":"s","ttlMs":0,"maxObjectBytes":5,"maxTotalBytes":6})");
  CHECK(binding_json(consumer(R"("maxDeliver":2)")) ==
        R"({"alias":"x","stream":"trellis","consumerName":"tr_cons_01abcdefghjkmnpqrstvwx0001",)"
        R"("filterSubjects":["events.v1.A"],"replay":"new","ordering":"strict","concurrency":1,"ackWaitMs":300000,)"
        R"("maxDeliver":2,"backoffMs":[5000]})");
  const std::string jobs = binding_json(queue(R"("result":{"schema":"R"},"maxDeliver":1,"backoffMs":[])"));
  CHECK(jobs.find(R"("result":{"schema":"R"},"maxDeliver":1,"backoffMs":[],"ackWaitMs":300000,"progress":true)") !=
        std::string::npos);
  CHECK(jobs.find("defaultDeadlineMs") == std::string::npos);
}

TEST_CASE("A bootstrap's binding merges what the contract requests, and nothing else") {
  const std::vector<BindingRef> bindings = {
      {ResourceKind::jobs, "b", R"({"namespace":"n2","workStream":"W2","queueType":"b"})"},
      {ResourceKind::jobs, "a", R"({"namespace":"n1","workStream":"W1","queueType":"a"})"},
      {ResourceKind::kv, "cache", R"({"bucket":"x"})"},
      {ResourceKind::kv, "other", R"({"bucket":"y"})"},
      {ResourceKind::store, "files", R"({"name":"z"})"},
      {ResourceKind::event_consumer, "g", R"({"alias":"g"})"}};
  const auto need = [](ResourceKind kind, const char *alias) { return ResourceNeed{kind, alias, true, ""}; };
  CHECK(bound_resources_json(bindings, {need(ResourceKind::kv, "cache"), need(ResourceKind::jobs, "a"),
                                        need(ResourceKind::jobs, "b"), need(ResourceKind::event_consumer, "g"),
                                        need(ResourceKind::store, "files"), need(ResourceKind::store, "missing")}) ==
        R"({"kv":{"cache":{"bucket":"x"}},"store":{"files":{"name":"z"}},"eventConsumers":{"g":{"alias":"g"}},)"
        R"("jobs":{"namespace":"n1","workStream":"W1","queues":{"a":{"queueType":"a"},"b":{"queueType":"b"}}}})");
  CHECK(bound_resources_json(bindings, {}) == "{}");
}
