#include "contracts/resource_needs.h"

#include "contracts/canonical.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace trellis {
namespace {

// 01 §3.11, §3.12.
const std::vector<double> kDefaultBackoffMs = {5000, 30000, 120000, 600000, 1800000};
constexpr double kDefaultAckWaitMs = 300000;
constexpr double kDefaultJobDeliveries = 5;
constexpr double kDefaultEventDeliveries = 6;

CanonicalObject definition_of(std::string_view type) {
  CanonicalObject definition;
  definition.add_text("type", type);
  return definition;
}

void add_if(CanonicalObject &definition, std::string_view name, const std::optional<double> &number) {
  if (number) definition.add_number(name, *number);
}

std::string schema_ref(const std::string &schema) {
  CanonicalObject ref;
  ref.add_text("schema", schema);
  return ref.text();
}

std::string numbers(const std::vector<double> &values) {
  std::vector<std::string> items;
  for (const double value : values)
    items.push_back(ecmascript_number(value));
  return canonical_array(items);
}

std::vector<double> cut_to(std::vector<double> backoff, double entries) {
  if (entries < static_cast<double>(backoff.size())) backoff.resize(static_cast<std::size_t>(entries));
  return backoff;
}

std::string filter_subjects(const std::vector<SelectedEvent> &events) {
  std::set<std::string> subjects;
  for (const auto &event : events)
    subjects.insert(wildcard_subject(event.subject));
  std::vector<std::string> items;
  for (const auto &subject : subjects)
    items.push_back(canonical_string(subject));
  return canonical_array(items);
}

// Those of uses first, then the own ones.
std::string event_refs(std::vector<SelectedEvent> events) {
  std::sort(events.begin(), events.end(), [](const auto &a, const auto &b) {
    return std::tuple(a.own, a.use, a.event) < std::tuple(b.own, b.use, b.event);
  });
  std::vector<std::string> items;
  for (const auto &event : events) {
    CanonicalObject ref;
    if (event.own)
      ref.add_flag("self", true);
    else
      ref.add_text("use", event.use);
    ref.add_text("event", event.event);
    items.push_back(ref.text());
  }
  return canonical_array(items);
}

CanonicalObject transfer_definition(const char *direction, const std::string &contract_id, const char *kind,
                                    std::string_view surface) {
  auto definition = definition_of("transfer");
  definition.add_text("direction", direction);
  definition.add_text("contractId", contract_id);
  definition.add_text("surfaceKind", kind);
  definition.add_text("surface", surface);
  definition.add_text("materialization", "backing-store");
  return definition;
}

} // namespace

ResourceNeed kv_need(const std::string &alias, const KvResource &kv, bool schema_exported) {
  CanonicalObject schema;
  schema.add_text("name", kv.schema);
  schema.add_flag("exported", schema_exported);
  auto definition = definition_of("kv");
  definition.add_number("history", kv.history.value_or(1));
  definition.add_number("ttlMs", kv.ttl_ms.value_or(0));
  add_if(definition, "maxValueBytes", kv.max_value_bytes);
  definition.add("schema", schema.text());
  return {ResourceKind::kv, alias, kv.required.value_or(true), definition.text()};
}

ResourceNeed store_need(const std::string &alias, const StoreResource &store) {
  auto definition = definition_of("store");
  definition.add_number("ttlMs", store.ttl_ms.value_or(0));
  add_if(definition, "maxObjectBytes", store.max_object_bytes);
  add_if(definition, "maxTotalBytes", store.max_total_bytes);
  return {ResourceKind::store, alias, store.required.value_or(true), definition.text()};
}

ResourceNeed jobs_need(const std::string &queue, const JobQueue &job) {
  auto definition = definition_of("jobs-queue");
  definition.add_text("queueType", queue);
  definition.add("payload", schema_ref(job.payload));
  if (job.result) definition.add("result", schema_ref(*job.result));
  definition.add_number("maxDeliver", job.max_deliver.value_or(kDefaultJobDeliveries));
  definition.add("backoffMs", numbers(job.backoff_ms.value_or(kDefaultBackoffMs)));
  definition.add_number("ackWaitMs", job.ack_wait_ms.value_or(kDefaultAckWaitMs));
  add_if(definition, "defaultDeadlineMs", job.default_deadline_ms);
  definition.add_flag("progress", job.progress.value_or(true));
  definition.add_flag("logs", job.logs.value_or(true));
  definition.add_flag("dlq", job.dlq.value_or(true));
  definition.add_number("concurrency", job.concurrency.value_or(1));
  return {ResourceKind::jobs, queue, true, definition.text()};
}

ResourceNeed event_consumer_need(const std::string &name, const EventConsumerGroup &group,
                                 const std::vector<SelectedEvent> &events) {
  const double max_deliver = group.max_deliver.value_or(kDefaultEventDeliveries);
  auto definition = definition_of("event-consumer");
  definition.add_text("stream", "trellis");
  definition.add("filterSubjects", filter_subjects(events));
  definition.add("eventRefs", event_refs(events));
  definition.add_text("replay", group.replay);
  definition.add_text("ordering", group.ordering);
  definition.add_number("concurrency", group.concurrency);
  definition.add_number("ackWaitMs", group.ack_wait_ms.value_or(kDefaultAckWaitMs));
  definition.add_number("maxDeliver", max_deliver);
  definition.add("backoffMs", numbers(cut_to(group.backoff_ms.value_or(kDefaultBackoffMs), max_deliver - 1)));
  return {ResourceKind::event_consumer, name, true, definition.text()};
}

ResourceNeed receive_need(const std::string &contract_id, std::string_view rpc, bool required) {
  return {ResourceKind::transfer, contract_id + ":rpc:" + std::string(rpc) + ":receive", required,
          transfer_definition("receive", contract_id, "rpc", rpc).text()};
}

ResourceNeed send_need(const std::string &contract_id, std::string_view operation, const OperationTransfer &transfer,
                       bool required) {
  auto definition = transfer_definition("send", contract_id, "operation", operation);
  definition.add_text("store", transfer.store);
  definition.add_text("key", transfer.key);
  return {ResourceKind::transfer, contract_id + ":operation:" + std::string(operation) + ":send", required,
          definition.text()};
}

} // namespace trellis
