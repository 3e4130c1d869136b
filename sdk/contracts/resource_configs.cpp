#include "contracts/resource_configs.h"

#include "contracts/json_write.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kDuplicateWindowMs = 120'000;
constexpr std::int64_t kAdvisoriesMs = 604'800'000;

std::int64_t ns(std::int64_t ms) {
  return ms * kNsPerMs;
}

JsonObjectText limits_stream(const std::string &name, const std::vector<std::string> &subjects, const char *discard) {
  JsonObjectText out;
  out.text("name", name).texts("subjects", subjects).text("retention", "limits").text("storage", "file");
  out.text("discard", discard);
  return out;
}

// What buckets and stores have in common. A window beyond max_age would be refused.
std::string bucket_config(JsonObjectText out, std::int64_t ttl_ms, int replicas) {
  const std::int64_t window = ttl_ms > 0 ? std::min(ttl_ms, kDuplicateWindowMs) : kDuplicateWindowMs;
  return out.number("max_age", ns(ttl_ms))
      .number("max_msgs", -1)
      .number("duplicate_window", ns(window))
      .flag("allow_direct", true)
      .flag("allow_rollup_hdrs", true)
      .number("num_replicas", replicas)
      .str();
}

// One source for each kind of event: two filters in one would be read as one stream's overlapping transforms.
std::string work_source(const char *event) {
  const std::string transform =
      JsonObjectText().text("src", std::string("trellis.jobs.*.*.*.") + event).text("dest", "trellis.work.$1.$2").str();
  return JsonObjectText().text("name", kJobsStream).json("subject_transforms", "[" + transform + "]").str();
}

std::string consumer_config(const std::string &durable, const char *deliver_policy, std::int64_t ack_wait_ms,
                            std::int64_t max_deliver, std::int64_t max_ack_pending,
                            const std::vector<std::int64_t> &backoff_ms, JsonObjectText out) {
  out.text("durable_name", durable).text("ack_policy", "explicit").text("deliver_policy", deliver_policy);
  out.number("ack_wait", ns(ack_wait_ms)).number("max_deliver", max_deliver).number("max_ack_pending", max_ack_pending);
  if (backoff_ms.empty()) return out.str();
  std::string backoff;
  for (const std::int64_t wait : backoff_ms)
    backoff += (backoff.empty() ? "" : ",") + std::to_string(ns(wait));
  return out.json("backoff", "[" + backoff + "]").str();
}

} // namespace

StreamConfig kv_stream(const KvBinding &binding, int replicas) {
  const std::string name = "KV_" + binding.bucket;
  JsonObjectText out = limits_stream(name, {"$KV." + binding.bucket + ".>"}, "new");
  out.number("max_msgs_per_subject", binding.history).number("max_msg_size", binding.max_value_bytes.value_or(-1));
  out.number("max_bytes", -1);
  return {name, bucket_config(std::move(out), binding.ttl_ms, replicas)};
}

StreamConfig store_stream(const StoreBinding &binding, int replicas) {
  const std::string name = "OBJ_" + binding.name;
  JsonObjectText out = limits_stream(name, {"$O." + binding.name + ".C.>", "$O." + binding.name + ".M.>"}, "new");
  out.number("max_msgs_per_subject", -1).number("max_msg_size", -1);
  out.number("max_bytes", binding.max_total_bytes.value_or(-1));
  return {name, bucket_config(std::move(out), binding.ttl_ms, replicas)};
}

std::array<StreamConfig, 3> jobs_streams(int replicas) {
  JsonObjectText jobs = limits_stream(kJobsStream, {"trellis.jobs.>"}, "old");
  jobs.number("max_age", 0).number("max_bytes", -1).number("max_msgs", -1).flag("allow_direct", true);
  JsonObjectText work;
  work.text("name", kJobsWorkStream).texts("subjects", {"trellis.work.>"}).text("retention", "workqueue");
  work.text("storage", "file").text("discard", "old").number("max_age", 0);
  work.json("sources", "[" + work_source("created") + "," + work_source("retried") + "]");
  JsonObjectText advisories =
      limits_stream(kJobsAdvisoriesStream,
                    {"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES." + std::string(kJobsWorkStream) + ".>"}, "old");
  advisories.number("max_age", ns(kAdvisoriesMs));
  return {{{kJobsStream, jobs.number("num_replicas", replicas).str()},
           {kJobsWorkStream, work.number("num_replicas", replicas).str()},
           {kJobsAdvisoriesStream, advisories.number("num_replicas", replicas).str()}}};
}

ConsumerConfig event_consumer(const EventConsumerBinding &binding) {
  JsonObjectText out;
  out.texts("filter_subjects", binding.filter_subjects);
  return {binding.stream, binding.consumer_name,
          consumer_config(binding.consumer_name, binding.replay == "all" ? "all" : "new", binding.ack_wait_ms,
                          binding.max_deliver, binding.concurrency, binding.backoff_ms, std::move(out))};
}

ConsumerConfig queue_consumer(const JobsBinding &binding) {
  JsonObjectText out;
  out.text("filter_subject", binding.work_subject);
  return {binding.work_stream, binding.consumer_name,
          consumer_config(binding.consumer_name, "all", binding.ack_wait_ms, binding.max_deliver, binding.concurrency,
                          binding.backoff_ms, std::move(out))};
}

PhysicalName physical_name(ResourceKind kind, const JsonValue &binding) {
  const auto text = [&](const char *member) { return std::string(string_member(binding, member)); };
  const auto prefixed = [](const char *prefix, const std::string &name) {
    return name.empty() ? PhysicalName{} : PhysicalName{prefix + name, ""};
  };
  const auto consumer = [](std::string stream, std::string name) {
    return stream.empty() || name.empty() ? PhysicalName{} : PhysicalName{std::move(stream), std::move(name)};
  };
  switch (kind) {
  case ResourceKind::kv: return prefixed("KV_", text("bucket"));
  case ResourceKind::store: return prefixed("OBJ_", text("name"));
  case ResourceKind::event_consumer: return consumer(text("stream"), text("consumerName"));
  case ResourceKind::jobs: return consumer(text("workStream"), text("consumerName"));
  case ResourceKind::transfer: break;
  }
  return {};
}

} // namespace trellis
