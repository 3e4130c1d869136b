// Steps 1 to 3 and 6 to 8 of the pipeline (01 §2.1). Each answers with the first failure, in the order of its chapter.
#include "contracts/canonical.h"
#include "contracts/manifest_steps.h"
#include "contracts/name_index.h"

#include <array>
#include <cmath>
#include <functional>
#include <rapidjson/document.h>
#include <unordered_set>

namespace trellis {
namespace {

Error problem(std::string code, std::string where, std::string message, std::string expected) {
  return Error{std::move(code), std::move(where), std::move(message), std::move(expected), {}};
}

// Visits members of objects depth first, in document order, until a visit answers with an error. `where` of an error
// is completed on the way back, so that a walk without errors builds no pointers.
using VisitMember = std::function<std::optional<Error>(std::string_view name, const JsonValue &value)>;

std::optional<Error> walk_members(const JsonValue &value, const VisitMember &visit) {
  const auto inside = [](std::optional<Error> error, std::string_view token) {
    error->where = json_pointer(token) + error->where;
    return error;
  };
  if (value.IsObject()) {
    for (const auto &member : value.GetObject()) {
      const auto name = text_of(member.name);
      if (auto error = visit(name, member.value)) return inside(std::move(error), name);
      if (auto error = walk_members(member.value, visit)) return inside(std::move(error), name);
    }
  } else if (value.IsArray()) {
    for (rapidjson::SizeType i = 0; i < value.Size(); ++i)
      if (auto error = walk_members(value[i], visit)) return inside(std::move(error), std::to_string(i));
  }
  return std::nullopt;
}

// Step 2. Canonical JSON has the same two exceptions, but a walk is cheaper than writing the text.
std::optional<Error> check_numbers(const JsonValue &value) {
  const auto inside = [](std::optional<Error> error, std::string_view token) {
    error->where = json_pointer(token) + error->where;
    return error;
  };
  if (value.IsNumber()) {
    const double number = value.GetDouble();
    if (!std::isfinite(number))
      return problem("not_json", {}, "number beyond the range of a double", "a finite number");
    if (number == 0 && std::signbit(number)) return problem("not_json", {}, "negative zero", "0");
  } else if (value.IsArray()) {
    for (rapidjson::SizeType i = 0; i < value.Size(); ++i)
      if (auto error = check_numbers(value[i])) return inside(std::move(error), std::to_string(i));
  } else if (value.IsObject()) {
    for (const auto &member : value.GetObject())
      if (auto error = check_numbers(member.value)) return inside(std::move(error), text_of(member.name));
  }
  return std::nullopt;
}

// Steps 3a to 3d: members of earlier contract formats, named so that an author learns what replaced them.
std::optional<Error> check_unsupported(const JsonValue &value) {
  if (find_member(value, "subjects"))
    return problem("unsupported_subjects", "/subjects", "is not supported", "a subject on each surface instead");
  if (const auto *resources = find_member(value, "resources")) {
    if (find_member(*resources, "jobs"))
      return problem("unsupported_resource_jobs", "/resources/jobs", "is not supported", "top-level jobs instead");
    for (const char *name : {"stream", "streams"})
      if (find_member(*resources, name))
        return problem("unsupported_resource_stream", json_pointer("resources", name), "is not supported",
                       "kv or store; contracts declare no streams");
  }
  const auto *uses = find_member(value, "uses");
  for (const char *group : {"required", "optional"}) {
    const auto *entries = uses ? find_member(*uses, group) : nullptr;
    if (!entries || !entries->IsObject()) continue;
    for (const auto &[alias, use] : entries->GetObject())
      if (find_member(use, "subjects"))
        return problem("unsupported_use_subjects", json_pointer("uses", group, text_of(alias), "subjects"),
                       "is not supported", "rpc, operations, events or feeds by name");
  }
  return std::nullopt;
}

// One event consumer group against the uses and events of its manifest.
class ConsumerCheck {
public:
  explicit ConsumerCheck(const ManifestModel &model)
      : required_(model.uses ? NameIndex(model.uses->required) : NameIndex<Use>()),
        optional_(model.uses ? NameIndex(model.uses->optional) : NameIndex<Use>()), events_(model.events) {}

  std::optional<Error> check(const std::string &name, const EventConsumerGroup &group) {
    const std::string where = json_pointer("eventConsumers", name);
    const bool has_uses = !entries_of(group.uses).empty(); // lists are never empty (3.11)
    if (!has_uses && names_in(group.self).empty())
      return problem("event_consumer_empty", where, "selects no event", "an event in uses or self");
    if (group.ordering == "strict" && group.concurrency != 1)
      return problem("event_consumer_concurrency", where + "/concurrency",
                     "is " + ecmascript_number(group.concurrency) + " although the order is strict", "1");
    for (const auto &[alias, events] : entries_of(group.uses))
      if (auto error = check_use(where + json_pointer("uses", alias), alias, events)) return error;
    for (const auto &event : names_in(group.self))
      if (!events_.contains(event))
        return problem("event_consumer_unknown_event", where + "/self",
                       canonical_string(event) + " is not an event of this contract", "a name in /events");
    return std::nullopt;
  }

private:
  std::optional<Error> check_use(const std::string &where, const std::string &alias, const NameList &events) {
    const bool is_required = required_.contains(alias);
    const auto *use = is_required ? required_.find(alias) : optional_.find(alias);
    if (!use)
      return problem("event_consumer_unknown_use", where, "no use has this alias",
                     "an alias of /uses/required or /uses/optional");
    const auto &subscribed = subscribed_events(*use);
    for (const auto &event : events)
      if (!subscribed.contains(event))
        return problem("event_consumer_not_subscribed", where, canonical_string(event) + " is not subscribed to",
                       "a name in " +
                           json_pointer("uses", is_required ? "required" : "optional", alias, "events", "subscribe"));
    return std::nullopt;
  }

  using NameSet = std::unordered_set<std::string_view>;
  const NameSet &subscribed_events(const Use &use) {
    const auto [slot, fresh] = subscribed_.try_emplace(&use);
    if (fresh && use.events)
      for (const auto &event : names_in(use.events->subscribe))
        slot->second.insert(event);
    return slot->second;
  }

  NameIndex<Use> required_, optional_;
  NameIndex<EventSurface> events_;
  std::unordered_map<const Use *, NameSet> subscribed_;
};

// 01 §4.1 rule 1.
std::optional<Error> check_no_ref(std::string_view name, const JsonValue &value) {
  if (name != "$ref") return std::nullopt;
  const bool remote = value.IsString() && text_of(value).substr(0, 1) != "#";
  return problem(remote ? "embedded_schema_remote_ref" : "embedded_schema_ref", {}, "$ref is not supported",
                 "the schema itself in place of the reference");
}

// 01 §4.1 rule 2.
std::optional<Error> check_type_name(std::string_view name, const JsonValue &value) {
  static constexpr std::array<std::string_view, 7> kTypes = {"array",  "boolean", "integer", "null",
                                                             "number", "object",  "string"};
  const auto known = [](const JsonValue &type) {
    return type.IsString() && std::find(kTypes.begin(), kTypes.end(), text_of(type)) != kTypes.end();
  };
  if (name != "type") return std::nullopt;
  const bool fine = value.IsString()  ? known(value)
                    : value.IsArray() ? std::all_of(value.Begin(), value.End(), known)
                                      : true;
  if (fine) return std::nullopt;
  return problem("embedded_schema_type", {}, to_json(value) + " is not a type of JSON Schema",
                 "array, boolean, integer, null, number, object or string");
}

// Whether the names of schema refs exist. Keeps the first that doesn't.
class RefCheck {
public:
  explicit RefCheck(const ManifestModel &model) : schemas_(model.schemas) {}

  template <class... Tokens>
  void ref(const std::string &schema, const Tokens &...where) {
    if (error_ || schemas_.contains(schema)) return;
    error_ = problem("unknown_schema_ref", json_pointer(where...), canonical_string(schema) + " is not in /schemas",
                     "the name of a schema in /schemas");
  }
  template <class... Tokens>
  void ref(const std::optional<std::string> &schema, const Tokens &...where) {
    if (schema) ref(*schema, where...);
  }

  std::optional<Error> error() { return std::move(error_); }

private:
  NameIndex<const JsonValue *> schemas_;
  std::optional<Error> error_;
};

void check_stored_refs(RefCheck &check, const ManifestModel &model) {
  if (model.exports)
    for (const auto &schema : names_in(*model.exports))
      check.ref(schema, "exports", "schemas");
  for (const auto &[name, store] : entries_of(model.state)) {
    check.ref(store.schema, "state", name, "schema");
    for (const auto &[version, schema] : entries_of(store.accepted_versions))
      check.ref(schema, "state", name, "acceptedVersions", version);
  }
  if (model.resources)
    for (const auto &[alias, kv] : entries_of(model.resources->kv))
      check.ref(kv.schema, "resources", "kv", alias, "schema");
}

void check_surface_refs(RefCheck &check, const ManifestModel &model) {
  for (const auto &[name, rpc] : entries_of(model.rpc)) {
    check.ref(rpc.input, "rpc", name, "input");
    check.ref(rpc.output, "rpc", name, "output");
  }
  for (const auto &[name, operation] : entries_of(model.operations)) {
    check.ref(operation.input, "operations", name, "input");
    check.ref(operation.progress, "operations", name, "progress");
    check.ref(operation.output, "operations", name, "output");
  }
  for (const auto &[name, event] : entries_of(model.events))
    check.ref(event.event, "events", name, "event");
  for (const auto &[key, error] : entries_of(model.errors))
    check.ref(error.schema, "errors", key, "schema");
  for (const auto &[name, job] : entries_of(model.jobs)) {
    check.ref(job.payload, "jobs", name, "payload");
    check.ref(job.result, "jobs", name, "result");
  }
}

} // namespace

std::optional<Error> check_raw(const JsonValue &value) {
  if (!value.IsObject()) return problem("not_object", {}, "the manifest is not a JSON object", "a JSON object");
  if (auto error = check_numbers(value)) return error;
  return check_unsupported(value);
}

std::optional<Error> check_event_consumers(const ManifestModel &model) {
  ConsumerCheck check(model);
  for (const auto &[name, group] : entries_of(model.event_consumers))
    if (auto error = check.check(name, group)) return error;
  return std::nullopt;
}

std::optional<Error> check_embedded_schemas(const ManifestModel &model) {
  for (const auto &[name, schema] : entries_of(model.schemas))
    for (const auto &rule : {check_no_ref, check_type_name})
      if (auto error = walk_members(*schema, rule)) {
        error->where = json_pointer("schemas", name) + error->where;
        return error;
      }
  return std::nullopt;
}

std::optional<Error> check_schema_refs(const ManifestModel &model) {
  RefCheck check(model);
  check_stored_refs(check, model);
  check_surface_refs(check, model);
  return check.error();
}

} // namespace trellis
