// Steps 4 and 5 of the pipeline: the field tables of 01 §3, one function per table.
#include "contracts/canonical.h"
#include "contracts/manifest_reader.h"
#include "contracts/manifest_steps.h"
#include "contracts/name_index.h"

#include <algorithm>
#include <unordered_set>

namespace trellis {
namespace {

NameList sorted_unique(NameList names) {
  std::sort(names.begin(), names.end(), Utf16Less());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

// 3.3
CapabilityText read_capability(const ObjectReader &in) {
  CapabilityText capability;
  capability.display_name = in.text("displayName");
  capability.description = in.text("description");
  capability.consequence = in.optional_text("consequence");
  return capability;
}

std::optional<NameList> read_exports(const ObjectReader &in) {
  auto names = in.names("schemas");
  std::unordered_set<std::string_view> seen;
  for (const auto &name : names_in(names))
    if (!seen.insert(name).second)
      in.report(in.place_of("schemas"), "names " + canonical_string(name) + " twice", "every schema name once");
  return names;
}

// 3.4
Use read_use(const ObjectReader &in) {
  const auto read_call = [](const ObjectReader &selector) { return Use::Call{selector.names("call")}; };
  Use use;
  use.contract = in.text("contract");
  use.rpc = in.object("rpc", read_call);
  use.operations = in.object("operations", read_call);
  use.events = in.object("events", [](const ObjectReader &selector) {
    return Use::Events{selector.names("publish"), selector.names("subscribe")};
  });
  use.feeds = in.object("feeds", [](const ObjectReader &selector) { return Use::Feeds{selector.names("subscribe")}; });
  return use;
}

Uses read_uses(const ObjectReader &in) {
  Uses uses;
  uses.required = in.objects("required", read_use);
  uses.optional = in.objects("optional", read_use);
  return uses;
}

// 3.5
StateStore read_state(const ObjectReader &in) {
  StateStore store;
  store.kind = in.one_of("kind", {"value", "map"});
  store.schema = in.schema_ref("schema");
  store.state_version = in.optional_text("stateVersion");
  store.accepted_versions = in.map(
      "acceptedVersions", [&](const JsonValue &ref, const Place &place) { return in.schema_ref_of(ref, place); });
  store.docs = in.docs();
  return store;
}

// 3.6
RpcSurface read_rpc(const ObjectReader &in) {
  RpcSurface rpc;
  rpc.version = in.version();
  rpc.subject = in.text("subject");
  rpc.input = in.schema_ref("input");
  rpc.output = in.schema_ref("output");
  rpc.call =
      in.object("capabilities", [](const ObjectReader &lists) { return lists.names("call"); }).value_or(std::nullopt);
  rpc.errors = in.list("errors", [](const ObjectReader &error) { return error.text("type"); });
  rpc.transfer_receive = in.object("transfer", [](const ObjectReader &transfer) {
                             return transfer.one_of("direction", {"receive"});
                           }).has_value();
  in.flag("internal");
  rpc.docs = in.docs();
  return rpc;
}

// 3.7
OperationTransfer read_operation_transfer(const ObjectReader &in) {
  OperationTransfer transfer;
  in.one_of("direction", {"send"});
  transfer.store = in.text("store");
  transfer.key = in.pointer("key");
  transfer.content_type = in.optional_pointer("contentType");
  transfer.metadata = in.optional_pointer("metadata");
  transfer.expires_in_ms = in.integer("expiresInMs", 1);
  transfer.max_bytes = in.integer("maxBytes", 1);
  return transfer;
}

OperationSurface::Signal read_signal(const ObjectReader &in) {
  return {in.schema_ref("input"), in.docs()};
}

OperationSurface read_operation(const ObjectReader &in) {
  OperationSurface operation;
  operation.version = in.version();
  operation.subject = in.text("subject");
  operation.input = in.schema_ref("input");
  operation.output = in.schema_ref("output");
  operation.progress = in.optional_schema_ref("progress");
  operation.transfer = in.object("transfer", read_operation_transfer);
  operation.capabilities = in.object("capabilities", [](const ObjectReader &lists) {
    return OperationSurface::Capabilities{lists.names("call"), lists.names("observe"), lists.names("cancel"),
                                          lists.names("control")};
  });
  operation.signals = in.objects("signals", read_signal);
  operation.cancel = in.flag("cancel");
  operation.docs = in.docs();
  return operation;
}

// 3.8
EventSurface read_event(const ObjectReader &in) {
  EventSurface event;
  event.version = in.version();
  event.subject = in.text("subject");
  event.params = in.pointers("params");
  event.event = in.schema_ref("event");
  event.capabilities = in.object("capabilities", [](const ObjectReader &lists) {
    return EventSurface::Capabilities{lists.names("publish"), lists.names("subscribe")};
  });
  event.docs = in.docs();
  return event;
}

// 3.9
FeedSurface read_feed(const ObjectReader &in) {
  FeedSurface feed;
  feed.version = in.version();
  feed.subject = in.text("subject");
  feed.input = in.schema_ref("input");
  feed.event = in.schema_ref("event");
  feed.subscribe = in.object("capabilities", [](const ObjectReader &lists) {
                       return lists.names("subscribe");
                     }).value_or(std::nullopt);
  feed.docs = in.docs();
  return feed;
}

// 3.10
ErrorDeclaration read_error(const ObjectReader &in) {
  return {in.text("type"), in.optional_schema_ref("schema")};
}

// 3.11
EventConsumerGroup read_event_consumer(const ObjectReader &in) {
  EventConsumerGroup group;
  group.uses = in.map("uses", [&](const JsonValue &list, const Place &place) {
    auto events = in.names_of(list, place);
    if (events.empty()) in.report(place, "is empty", "at least one event name");
    return sorted_unique(std::move(events));
  });
  if (auto self = in.names("self")) group.self = sorted_unique(std::move(*self));
  group.replay = in.optional_one_of("replay", {"new", "all"}).value_or("new");
  group.ordering = in.optional_one_of("ordering", {"strict"}).value_or("strict");
  group.concurrency = in.integer("concurrency", 1).value_or(1);
  group.ack_wait_ms = in.integer("ackWaitMs", 1);
  group.max_deliver = in.integer("maxDeliver", 1);
  group.backoff_ms = in.integers("backoffMs", 0);
  group.docs = in.docs();
  return group;
}

// 3.12
JobQueue read_job(const ObjectReader &in) {
  JobQueue job;
  job.payload = in.schema_ref("payload");
  job.result = in.optional_schema_ref("result");
  job.max_deliver = in.integer("maxDeliver", 1);
  job.backoff_ms = in.integers("backoffMs", 0);
  job.ack_wait_ms = in.integer("ackWaitMs", 1);
  job.default_deadline_ms = in.integer("defaultDeadlineMs", 1);
  job.progress = in.flag("progress");
  job.logs = in.flag("logs");
  job.dlq = in.flag("dlq");
  job.concurrency = in.integer("concurrency", 1);
  job.docs = in.docs();
  return job;
}

// 3.13
KvResource read_kv(const ObjectReader &in) {
  KvResource kv;
  kv.purpose = in.text("purpose");
  kv.schema = in.schema_ref("schema");
  kv.required = in.flag("required");
  kv.history = in.integer("history", 1);
  kv.ttl_ms = in.integer("ttlMs", 0);
  kv.max_value_bytes = in.integer("maxValueBytes", 1);
  kv.docs = in.docs();
  return kv;
}

StoreResource read_store(const ObjectReader &in) {
  StoreResource store;
  store.purpose = in.text("purpose");
  store.required = in.flag("required");
  store.ttl_ms = in.integer("ttlMs", 0);
  store.max_object_bytes = in.integer("maxObjectBytes", 1);
  store.max_total_bytes = in.integer("maxTotalBytes", 1);
  store.docs = in.docs();
  return store;
}

Resources read_resources(const ObjectReader &in) {
  in.only_members({"kv", "store"});
  Resources resources;
  resources.kv = in.objects("kv", read_kv);
  resources.store = in.objects("store", read_store);
  return resources;
}

ContractKind read_kind(const ObjectReader &in) {
  const auto word = in.one_of("kind", {"service", "app", "device", "agent"});
  for (const auto kind : {ContractKind::app, ContractKind::device, ContractKind::agent})
    if (word == kind_name(kind)) return kind;
  return ContractKind::service;
}

const JsonValue *read_schema(const ObjectReader &in, const JsonValue &schema, const Place &place) {
  if (!schema.IsObject() && !schema.IsBool())
    in.report(place, ObjectReader::what_is(&schema), "a JSON Schema: an object or a boolean");
  return &schema;
}

// 3.1
ManifestModel read_top(const ObjectReader &in) {
  ManifestModel model;
  in.one_of("format", {"trellis.contract.v1"});
  model.id = in.text("id");
  model.display_name = in.text("displayName");
  model.description = in.text("description");
  model.kind = read_kind(in);
  model.docs = in.docs();
  model.capabilities = in.objects("capabilities", read_capability);
  model.schemas =
      in.map("schemas", [&](const JsonValue &schema, const Place &place) { return read_schema(in, schema, place); });
  model.exports = in.object("exports", read_exports);
  model.uses = in.object("uses", read_uses);
  model.state = in.objects("state", read_state);
  model.rpc = in.objects("rpc", read_rpc);
  model.operations = in.objects("operations", read_operation);
  model.events = in.objects("events", read_event);
  model.feeds = in.objects("feeds", read_feed);
  model.errors = in.objects("errors", read_error);
  model.jobs = in.objects("jobs", read_job);
  model.event_consumers = in.objects("eventConsumers", read_event_consumer);
  model.resources = in.object("resources", read_resources);
  return model;
}

} // namespace

Result<ManifestModel> read_model(const JsonValue &value) {
  Structure structure;
  const Place root;
  auto model = read_top(ObjectReader(value, root, structure));
  if (!structure.ok()) return tl::make_unexpected(structure.error());
  return model;
}

} // namespace trellis
