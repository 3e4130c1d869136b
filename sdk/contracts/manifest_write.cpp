// The two canonical texts of a manifest: normalized (01 §5) and digest projection (01 §7.2), from one set of writers.
//
// They differ in what an author may change without a new digest: the projection leaves out texts for people, `exports`
// and what no surface reaches, and sorts the lists whose order means nothing. Writing both from here keeps a new field
// from being forgotten in one of them.
#include "contracts/canonical.h"
#include "contracts/manifest_steps.h"
#include "contracts/name_index.h"

#include <algorithm>
#include <unordered_set>

namespace trellis {
namespace {

enum class Form { normalized, projection };

std::string write_ref(const std::string &schema) {
  CanonicalObject out;
  out.add_text("schema", schema);
  return out.text();
}

std::string write_list(const NameList &names) {
  std::vector<std::string> items;
  items.reserve(names.size());
  for (const auto &name : names)
    items.push_back(canonical_string(name));
  return canonical_array(items);
}

// Lists whose order and duplicates mean nothing.
std::string write_set(const NameList &names, Form form) {
  if (form == Form::normalized) return write_list(names);
  std::vector<std::string_view> sorted(names.begin(), names.end());
  std::sort(sorted.begin(), sorted.end(), Utf16Less());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return write_list({sorted.begin(), sorted.end()});
}

std::string write_numbers(const std::vector<double> &numbers) {
  std::vector<std::string> items;
  items.reserve(numbers.size());
  for (const double number : numbers)
    items.push_back(ecmascript_number(number));
  return canonical_array(items);
}

template <class T, class Write>
std::string write_map(const Named<T> &entries, const Write &write) {
  CanonicalObject out;
  for (const auto &[name, entry] : entries)
    out.add(name, write(entry));
  return out.text();
}

void add_text(CanonicalObject &out, std::string_view name, const std::optional<std::string> &text) {
  if (text) out.add_text(name, *text);
}
void add_ref(CanonicalObject &out, std::string_view name, const std::optional<std::string> &schema) {
  if (schema) out.add(name, write_ref(*schema));
}
void add_number(CanonicalObject &out, std::string_view name, const std::optional<double> &number) {
  if (number) out.add_number(name, *number);
}
void add_numbers(CanonicalObject &out, std::string_view name, const std::optional<std::vector<double>> &numbers) {
  if (numbers) out.add(name, write_numbers(*numbers));
}
void add_flag(CanonicalObject &out, std::string_view name, const std::optional<bool> &flag) {
  if (flag) out.add_flag(name, *flag);
}
void add_set(CanonicalObject &out, std::string_view name, const std::optional<NameList> &names, Form form) {
  if (names) out.add(name, write_set(*names, form));
}
template <class T, class Write>
void add_map(CanonicalObject &out, std::string_view name, const std::optional<Named<T>> &entries, const Write &write) {
  if (entries) out.add(name, write_map(*entries, write));
}
void add_docs(CanonicalObject &out, const std::optional<Docs> &docs, Form form) {
  if (!docs || form == Form::projection) return;
  CanonicalObject inner;
  add_text(inner, "summary", docs->summary);
  inner.add_text("markdown", docs->markdown);
  out.add("docs", inner.text());
}

std::string write_capability(const CapabilityText &capability) {
  CanonicalObject out;
  out.add_text("displayName", capability.display_name);
  out.add_text("description", capability.description);
  add_text(out, "consequence", capability.consequence);
  return out.text();
}

// A selector without any list vanishes from the projection (7.2 step 5).
void add_selector(CanonicalObject &out, std::string_view name, const CanonicalObject &selector, Form form) {
  auto text = selector.text();
  if (form == Form::normalized || text != "{}") out.add(name, std::move(text));
}

std::string write_use(const Use &use, Form form) {
  CanonicalObject out;
  out.add_text("contract", use.contract);
  const auto add_call = [&](std::string_view name, const std::optional<Use::Call> &use_call) {
    if (!use_call) return;
    CanonicalObject selector;
    add_set(selector, "call", use_call->call, form);
    add_selector(out, name, selector, form);
  };
  add_call("rpc", use.rpc);
  add_call("operations", use.operations);
  if (use.events) {
    CanonicalObject selector;
    add_set(selector, "publish", use.events->publish, form);
    add_set(selector, "subscribe", use.events->subscribe, form);
    add_selector(out, "events", selector, form);
  }
  if (use.feeds) {
    CanonicalObject selector;
    add_set(selector, "subscribe", use.feeds->subscribe, form);
    add_selector(out, "feeds", selector, form);
  }
  return out.text();
}

void add_uses(CanonicalObject &out, const std::optional<Uses> &uses, Form form) {
  if (!uses) return;
  const auto write = [form](const Use &use) { return write_use(use, form); };
  CanonicalObject groups;
  add_map(groups, "required", uses->required, write);
  if (form == Form::normalized) {
    add_map(groups, "optional", uses->optional, write);
  } else if (uses->optional) {
    const NameIndex required(uses->required);
    CanonicalObject unshadowed;
    for (const auto &[alias, use] : *uses->optional)
      if (!required.contains(alias)) unshadowed.add(alias, write(use));
    auto text = unshadowed.text();
    if (!uses->required || text != "{}") groups.add("optional", std::move(text));
  }
  add_selector(out, "uses", groups, form);
}

std::string write_state(const StateStore &store, Form form) {
  CanonicalObject out;
  out.add_text("kind", store.kind);
  out.add("schema", write_ref(store.schema));
  add_text(out, "stateVersion", store.state_version);
  add_map(out, "acceptedVersions", store.accepted_versions, write_ref);
  add_docs(out, store.docs, form);
  return out.text();
}

std::string write_error_types(const NameList &types, Form form) {
  std::vector<std::string_view> listed(types.begin(), types.end());
  if (form == Form::projection) {
    std::sort(listed.begin(), listed.end(), Utf16Less());
    listed.erase(std::unique(listed.begin(), listed.end()), listed.end());
  }
  std::vector<std::string> items;
  items.reserve(listed.size());
  for (const auto type : listed) {
    CanonicalObject error;
    error.add_text("type", type);
    items.push_back(error.text());
  }
  return canonical_array(items);
}

std::string write_rpc(const RpcSurface &rpc, Form form) {
  CanonicalObject out;
  out.add_text("version", rpc.version);
  out.add_text("subject", rpc.subject);
  out.add("input", write_ref(rpc.input));
  out.add("output", write_ref(rpc.output));
  if (rpc.call) {
    CanonicalObject lists;
    add_set(lists, "call", rpc.call, form);
    out.add("capabilities", lists.text());
  }
  if (rpc.errors) out.add("errors", write_error_types(*rpc.errors, form));
  if (rpc.transfer_receive) out.add("transfer", R"({"direction":"receive"})");
  add_docs(out, rpc.docs, form);
  return out.text();
}

std::string write_operation_transfer(const OperationTransfer &transfer) {
  CanonicalObject out;
  out.add_text("direction", "send");
  out.add_text("store", transfer.store);
  out.add_text("key", transfer.key);
  add_text(out, "contentType", transfer.content_type);
  add_text(out, "metadata", transfer.metadata);
  add_number(out, "expiresInMs", transfer.expires_in_ms);
  add_number(out, "maxBytes", transfer.max_bytes);
  return out.text();
}

std::string write_operation(const OperationSurface &operation, Form form) {
  CanonicalObject out;
  out.add_text("version", operation.version);
  out.add_text("subject", operation.subject);
  out.add("input", write_ref(operation.input));
  out.add("output", write_ref(operation.output));
  add_ref(out, "progress", operation.progress);
  if (operation.transfer) out.add("transfer", write_operation_transfer(*operation.transfer));
  if (operation.capabilities) {
    CanonicalObject lists;
    add_set(lists, "call", operation.capabilities->call, form);
    add_set(lists, "observe", operation.capabilities->observe, form);
    add_set(lists, "cancel", operation.capabilities->cancel, form);
    add_set(lists, "control", operation.capabilities->control, form);
    out.add("capabilities", lists.text());
  }
  add_map(out, "signals", operation.signals, [form](const OperationSurface::Signal &signal) {
    CanonicalObject inner;
    inner.add("input", write_ref(signal.input));
    add_docs(inner, signal.docs, form);
    return inner.text();
  });
  add_flag(out, "cancel", operation.cancel);
  add_docs(out, operation.docs, form);
  return out.text();
}

std::string write_event(const EventSurface &event, Form form) {
  CanonicalObject out;
  out.add_text("version", event.version);
  out.add_text("subject", event.subject);
  if (event.params) out.add("params", write_list(*event.params));
  out.add("event", write_ref(event.event));
  if (event.capabilities) {
    CanonicalObject lists;
    add_set(lists, "publish", event.capabilities->publish, form);
    add_set(lists, "subscribe", event.capabilities->subscribe, form);
    out.add("capabilities", lists.text());
  }
  add_docs(out, event.docs, form);
  return out.text();
}

std::string write_feed(const FeedSurface &feed, Form form) {
  CanonicalObject out;
  out.add_text("version", feed.version);
  out.add_text("subject", feed.subject);
  out.add("input", write_ref(feed.input));
  out.add("event", write_ref(feed.event));
  if (feed.subscribe) {
    CanonicalObject lists;
    add_set(lists, "subscribe", feed.subscribe, form);
    out.add("capabilities", lists.text());
  }
  add_docs(out, feed.docs, form);
  return out.text();
}

std::string write_error(const ErrorDeclaration &error) {
  CanonicalObject out;
  out.add_text("type", error.type);
  add_ref(out, "schema", error.schema);
  return out.text();
}

std::string write_job(const JobQueue &job, Form form) {
  CanonicalObject out;
  out.add("payload", write_ref(job.payload));
  add_ref(out, "result", job.result);
  add_number(out, "maxDeliver", job.max_deliver);
  add_numbers(out, "backoffMs", job.backoff_ms);
  add_number(out, "ackWaitMs", job.ack_wait_ms);
  add_number(out, "defaultDeadlineMs", job.default_deadline_ms);
  add_flag(out, "progress", job.progress);
  add_flag(out, "logs", job.logs);
  add_flag(out, "dlq", job.dlq);
  add_number(out, "concurrency", job.concurrency);
  add_docs(out, job.docs, form);
  return out.text();
}

std::string write_event_consumer(const EventConsumerGroup &group, Form form) {
  CanonicalObject out;
  add_map(out, "uses", group.uses, write_list); // sorted when it was read
  if (group.self) out.add("self", write_list(*group.self));
  out.add_text("replay", group.replay);
  out.add_text("ordering", group.ordering);
  out.add_number("concurrency", group.concurrency);
  add_number(out, "ackWaitMs", group.ack_wait_ms);
  add_number(out, "maxDeliver", group.max_deliver);
  add_numbers(out, "backoffMs", group.backoff_ms);
  add_docs(out, group.docs, form);
  return out.text();
}

std::string write_kv(const KvResource &kv, Form form) {
  CanonicalObject out;
  out.add_text("purpose", kv.purpose);
  out.add("schema", write_ref(kv.schema));
  add_flag(out, "required", kv.required);
  add_number(out, "history", kv.history);
  add_number(out, "ttlMs", kv.ttl_ms);
  add_number(out, "maxValueBytes", kv.max_value_bytes);
  add_docs(out, kv.docs, form);
  return out.text();
}

std::string write_store(const StoreResource &store, Form form) {
  CanonicalObject out;
  out.add_text("purpose", store.purpose);
  add_flag(out, "required", store.required);
  add_number(out, "ttlMs", store.ttl_ms);
  add_number(out, "maxObjectBytes", store.max_object_bytes);
  add_number(out, "maxTotalBytes", store.max_total_bytes);
  add_docs(out, store.docs, form);
  return out.text();
}

void add_resources(CanonicalObject &out, const std::optional<Resources> &resources, Form form) {
  if (!resources) return;
  CanonicalObject inner;
  add_map(inner, "kv", resources->kv, [form](const KvResource &kv) { return write_kv(kv, form); });
  add_map(inner, "store", resources->store, [form](const StoreResource &store) { return write_store(store, form); });
  add_selector(out, "resources", inner, form);
}

using TextSet = std::unordered_set<std::string_view>;

TextSet error_types_of_rpcs(const ManifestModel &model) {
  TextSet types;
  for (const auto &[name, rpc] : entries_of(model.rpc))
    for (const auto &type : names_in(rpc.errors))
      types.insert(type);
  return types;
}

// Schemas that a surface, a store or an error of an RPC refers to (7.2 step 3).
TextSet reachable_schemas(const ManifestModel &model, const TextSet &error_types) {
  TextSet reached;
  const auto reach = [&](const std::optional<std::string> &schema) {
    if (schema) reached.insert(*schema);
  };
  for (const auto &[name, store] : entries_of(model.state)) {
    reached.insert(store.schema);
    for (const auto &[version, schema] : entries_of(store.accepted_versions))
      reached.insert(schema);
  }
  for (const auto &[name, rpc] : entries_of(model.rpc))
    reached.insert({rpc.input, rpc.output});
  TextSet seen_types; // the first declaration of a type supplies the schema
  for (const auto &[key, error] : entries_of(model.errors))
    if (error_types.contains(error.type) && seen_types.insert(error.type).second) reach(error.schema);
  for (const auto &[name, operation] : entries_of(model.operations)) {
    reached.insert({operation.input, operation.output});
    reach(operation.progress);
    for (const auto &[signal_name, signal] : entries_of(operation.signals))
      reached.insert(signal.input);
  }
  for (const auto &[name, event] : entries_of(model.events))
    reached.insert(event.event);
  for (const auto &[name, feed] : entries_of(model.feeds))
    reached.insert({feed.input, feed.event});
  for (const auto &[name, job] : entries_of(model.jobs)) {
    reached.insert(job.payload);
    reach(job.result);
  }
  if (model.resources)
    for (const auto &[alias, kv] : entries_of(model.resources->kv))
      reached.insert(kv.schema);
  return reached;
}

void add_identity(CanonicalObject &out, const ManifestModel &model) {
  out.add_text("format", "trellis.contract.v1");
  out.add_text("id", model.id);
  out.add_text("kind", kind_name(model.kind));
}

// The sections that both texts have.
void add_sections(CanonicalObject &out, const ManifestModel &model, Form form) {
  const auto with = [form](const auto &write) {
    return [form, &write](const auto &entry) { return write(entry, form); };
  };
  add_map(out, "capabilities", model.capabilities, write_capability);
  add_uses(out, model.uses, form);
  add_map(out, "state", model.state, with(write_state));
  add_map(out, "rpc", model.rpc, with(write_rpc));
  add_map(out, "operations", model.operations, with(write_operation));
  add_map(out, "events", model.events, with(write_event));
  add_map(out, "feeds", model.feeds, with(write_feed));
  add_map(out, "jobs", model.jobs, with(write_job));
  add_map(out, "eventConsumers", model.event_consumers, with(write_event_consumer));
  add_resources(out, model.resources, form);
}

// Texts for people, and what is not part of what a contract can do.
void add_presentation(CanonicalObject &normalized, const ManifestModel &model) {
  normalized.add_text("displayName", model.display_name);
  normalized.add_text("description", model.description);
  add_docs(normalized, model.docs, Form::normalized);
  if (!model.exports) return;
  CanonicalObject exports;
  add_set(exports, "schemas", *model.exports, Form::normalized);
  normalized.add("exports", exports.text());
}

void add_errors(CanonicalObject &normalized, CanonicalObject &projection, const ManifestModel &model,
                const TextSet &error_types) {
  add_map(normalized, "errors", model.errors, write_error);
  CanonicalObject listed;
  for (const auto &[key, error] : entries_of(model.errors))
    if (error_types.contains(error.type)) listed.add(key, write_error(error));
  add_selector(projection, "errors", listed, Form::projection);
}

void add_schemas(CanonicalObject &normalized, CanonicalObject &projection, const ManifestModel &model,
                 const TextSet &reached) {
  if (!model.schemas) return;
  CanonicalObject all, reachable;
  for (const auto &[name, schema] : *model.schemas) {
    auto text = canonical_json(*schema).value(); // numbers were checked in step 2
    if (reached.contains(name)) reachable.add(name, text);
    all.add(name, std::move(text));
  }
  normalized.add("schemas", all.text());
  add_selector(projection, "schemas", reachable, Form::projection);
}

} // namespace

ManifestTexts write_texts(const ManifestModel &model) {
  CanonicalObject normalized, projection;
  add_identity(normalized, model);
  add_identity(projection, model);
  add_presentation(normalized, model);
  add_sections(normalized, model, Form::normalized);
  add_sections(projection, model, Form::projection);
  const TextSet error_types = error_types_of_rpcs(model);
  add_errors(normalized, projection, model, error_types);
  add_schemas(normalized, projection, model, reachable_schemas(model, error_types));
  return {normalized.text(), projection.text()};
}

} // namespace trellis
