#include "contracts/resource_configs.h"

#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;

namespace {

JsonDocument json(const std::string &text) {
  auto document = parse_json(text);
  if (!document) FAIL(document.error().text());
  return std::move(*document);
}

std::int64_t number(const std::string &config, const char *member) {
  const auto document = json(config);
  const JsonValue *value = find_member(document, member);
  REQUIRE(value);
  return value->GetInt64();
}

EventConsumerBinding group() {
  EventConsumerBinding out;
  out.alias = "g", out.stream = "trellis", out.consumer_name = "c", out.filter_subjects = {"events.v1.A"};
  out.replay = "new", out.ordering = "strict", out.ack_wait_ms = 300000, out.max_deliver = 3;
  out.backoff_ms = {5000, 30000};
  return out;
}

std::string stream_diff(const std::string &current, const std::string &wanted,
                        const std::vector<std::string_view> &members = {}) {
  return differences_text(stream_differences(json(current), json(wanted), members));
}

std::string consumer_diff(const std::string &current) {
  return differences_text(consumer_differences(json(current), json(event_consumer(group()).config)));
}

// What a server keeps of group(): ack_wait is the first backoff entry, and it adds members of its own.
std::string kept(const std::string &changed = "") {
  const std::string members = R"({"durable_name":"c","ack_policy":"explicit","deliver_policy":"new","max_deliver":3,)"
                              R"("max_ack_pending":1,"ack_wait":5000000000,"backoff":[5000000000,30000000000],)"
                              R"("filter_subjects":["events.v1.A"],"replay_policy":"instant")";
  return members + (changed.empty() ? "" : "," + changed) + "}"; // the last duplicate wins
}

} // namespace

TEST_CASE("A bucket's duplicate window is two minutes, or its shorter ttl") {
  CHECK(number(kv_stream({"b", 1, 0, {}}, 1).config, "duplicate_window") == 120'000'000'000);
  CHECK(number(kv_stream({"b", 1, 90000, {}}, 1).config, "duplicate_window") == 90'000'000'000);
  CHECK(number(kv_stream({"b", 1, 600000, {}}, 1).config, "duplicate_window") == 120'000'000'000);
  CHECK(number(store_stream({"s", 1000, {}, {}}, 1).config, "duplicate_window") == 1'000'000'000);
}

TEST_CASE("A bucket and a store have every member of their table") {
  const auto kv = kv_stream({"b", 5, 1000, 2048}, 3);
  CHECK(kv.name == "KV_b");
  CHECK(kv.config == R"({"name":"KV_b","subjects":["$KV.b.>"],"retention":"limits","storage":"file","discard":"new",)"
                     R"("max_msgs_per_subject":5,"max_msg_size":2048,"max_bytes":-1,"max_age":1000000000,)"
                     R"("max_msgs":-1,"duplicate_window":1000000000,"allow_direct":true,"allow_rollup_hdrs":true,)"
                     R"("num_replicas":3})");
  const auto store = store_stream({"s", 0, 10, 50}, 1);
  CHECK(store.name == "OBJ_s");
  CHECK(store.config ==
        R"({"name":"OBJ_s","subjects":["$O.s.C.>","$O.s.M.>"],"retention":"limits","storage":"file",)"
        R"("discard":"new","max_msgs_per_subject":-1,"max_msg_size":-1,"max_bytes":50,"max_age":0,"max_msgs":-1,)"
        R"("duplicate_window":120000000000,"allow_direct":true,"allow_rollup_hdrs":true,"num_replicas":1})");
}

TEST_CASE("The work stream takes created and retried jobs from two sources of JOBS") {
  const auto streams = jobs_streams(1);
  CHECK(streams[0].name == "JOBS");
  CHECK(streams[1].name == "JOBS_WORK");
  CHECK(streams[2].name == "JOBS_ADVISORIES");
  const auto work = json(streams[1].config);
  REQUIRE(work["sources"].Size() == 2);
  CHECK(to_json(work["sources"][1]) ==
        R"({"name":"JOBS","subject_transforms":[{"src":"trellis.jobs.*.*.*.retried","dest":"trellis.work.$1.$2"}]})");
  CHECK(string_member(work, "retention") == "workqueue");
  CHECK(number(streams[2].config, "max_age") == 604'800'000'000'000);
}

TEST_CASE("Consumers are asked for as declared, and without backoff there is none") {
  CHECK(event_consumer(group()).config ==
        R"({"filter_subjects":["events.v1.A"],"durable_name":"c","ack_policy":"explicit","deliver_policy":"new",)"
        R"("ack_wait":300000000000,"max_deliver":3,"max_ack_pending":1,"backoff":[5000000000,30000000000]})");
  JobsBinding queue;
  queue.work_stream = kJobsWorkStream, queue.consumer_name = "n_q", queue.work_subject = "trellis.work.n.q";
  queue.max_deliver = 1, queue.ack_wait_ms = 10, queue.concurrency = 4;
  const auto consumer = queue_consumer(queue);
  CHECK(consumer.stream == "JOBS_WORK");
  CHECK(consumer.name == "n_q");
  CHECK(consumer.config == R"({"filter_subject":"trellis.work.n.q","durable_name":"n_q","ack_policy":"explicit",)"
                           R"("deliver_policy":"all","ack_wait":10000000,"max_deliver":1,"max_ack_pending":4})");
}

TEST_CASE("A stream with what the server adds is as wanted; every other value is named with both sides") {
  CHECK(stream_diff(R"({"max_age":0,"discard":"new","sealed":false})", R"({"max_age":0,"discard":"new"})").empty());
  CHECK(stream_diff("{}", R"({"max_age":0,"allow_direct":false})").empty()); // left out is nothing
  CHECK(stream_diff(R"({"max_age":5,"subjects":["a"]})", R"({"max_age":0,"subjects":["b"],"num_replicas":3})") ==
        R"(max_age is 5 (wanted 0), subjects is ["a"] (wanted ["b"]), num_replicas is not set (wanted 3))");
  CHECK(stream_diff(R"({"max_age":5,"discard":"old"})", R"({"max_age":5,"discard":"new"})", bucket_members()).empty());
  CHECK_FALSE(
      stream_diff(R"({"sources":[{"name":"JOBS"}]})", R"({"sources":[{"name":"JOBS"},{"name":"JOBS"}]})").empty());
}

TEST_CASE("A consumer's ack_wait is compared with its first backoff entry") {
  CHECK(consumer_diff(kept()).empty());
  CHECK(consumer_diff(kept(R"("ack_wait":300000000000)")) == "ack_wait is 300000000000 (wanted 5000000000)");
}

TEST_CASE("A consumer's filters are a set, in whichever member they are") {
  CHECK(consumer_diff(kept(R"("filter_subjects":null,"filter_subject":"events.v1.A")")).empty());
  CHECK(consumer_diff(kept(R"("filter_subjects":["events.v1.B"])")) ==
        R"(filter_subjects is ["events.v1.B"] (wanted ["events.v1.A"]))");
}

TEST_CASE("Each member of a consumer's table is compared") {
  CHECK(consumer_diff(kept(R"("deliver_policy":"all")")) == R"(deliver_policy is "all" (wanted "new"))");
  CHECK(consumer_diff(kept(R"("max_deliver":-1)")) == "max_deliver is -1 (wanted 3)");
  CHECK(consumer_diff(kept(R"("max_ack_pending":1000)")) == "max_ack_pending is 1000 (wanted 1)");
  CHECK(consumer_diff(kept(R"("ack_policy":"none")")) == R"(ack_policy is "none" (wanted "explicit"))");
  CHECK(consumer_diff(kept(R"("backoff":[5000000000])")).starts_with("backoff is [5000000000]"));
}

TEST_CASE("A probed number of replicas only raises, a configured one is applied") {
  CHECK(kept_replicas(json(R"({"num_replicas":3})"), 1, false) == 3);
  CHECK(kept_replicas(json(R"({"num_replicas":1})"), 3, false) == 3);
  CHECK(kept_replicas(json(R"({"num_replicas":3})"), 1, true) == 1);
  CHECK(kept_replicas(json("{}"), 1, false) == 1);
}

TEST_CASE("An update keeps what the table doesn't list") {
  CHECK(overlaid_stream(json(R"({"max_age":1,"placement":{"cluster":"c"}})"), json(R"({"max_age":2})")) ==
        R"({"placement":{"cluster":"c"},"max_age":2})");
  CHECK(overlaid_consumer(json(R"({"backoff":[1],"filter_subject":"a","metadata":{"x":"y"}})"),
                          json(R"({"filter_subjects":["b"]})")) == R"({"metadata":{"x":"y"},"filter_subjects":["b"]})");
}

TEST_CASE("Stored bindings name their stream or consumer") {
  const auto named = [](ResourceKind kind, const std::string &binding) {
    const auto name = physical_name(kind, json(binding));
    return name.stream + "/" + name.consumer;
  };
  CHECK(named(ResourceKind::kv, R"({"bucket":"b"})") == "KV_b/");
  CHECK(named(ResourceKind::store, R"({"name":"s"})") == "OBJ_s/");
  CHECK(named(ResourceKind::event_consumer, R"({"stream":"trellis","consumerName":"c"})") == "trellis/c");
  CHECK(named(ResourceKind::jobs, R"({"workStream":"JOBS_WORK","consumerName":"c"})") == "JOBS_WORK/c");
  CHECK(named(ResourceKind::jobs, R"({"workStream":"JOBS_WORK"})") == "/"); // never the shared stream
  CHECK(named(ResourceKind::kv, "{}") == "/");
}
