#include "contract_warnings.h"

#include "contracts/canonical.h"
#include "contracts/event_pointers.h"
#include "contracts/event_template.h"
#include "contracts/name_index.h"
#include "contracts/surface_lists.h"
#include "wire/error_envelope.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

// 01 §9: "acme.billing@v1" -> "acme.billing".
std::string namespace_of(std::string_view id) {
  const auto at = id.rfind("@v");
  if (at == std::string_view::npos || at + 2 == id.size()) return std::string(id);
  const bool digits = std::ranges::all_of(id.substr(at + 2), [](char c) { return c >= '0' && c <= '9'; });
  return std::string(digits ? id.substr(0, at) : id);
}

class Warnings {
public:
  explicit Warnings(const Manifest &manifest)
      : manifest_(manifest), model_(manifest.model()), schemas_(model_.schemas), capabilities_(model_.capabilities),
        namespace_(namespace_of(manifest.id())) {}

  void dropped_members(const JsonValue &written) {
    JsonLimits limits;
    limits.max_bytes *= 4; // defaults make it a little longer than what was read
    if (const auto kept = parse_json(manifest_.normalized(), limits)) compare(written, *kept, "");
  }

  void unchecked_references() {
    for (const auto &[name, feed] : entries_of(model_.feeds)) {
      schema_ref(feed.input, json_pointer("feeds", name, "input"));
      schema_ref(feed.event, json_pointer("feeds", name, "event"));
    }
    for (const auto &[name, operation] : entries_of(model_.operations)) {
      for (const auto &[signal, input] : entries_of(operation.signals))
        schema_ref(input.input, json_pointer("operations", name, "signals", signal, "input"));
      if (operation.transfer) transfer(name, operation, *operation.transfer);
    }
    error_types();
  }

  void capability_names() {
    for (const auto &[key, text] : entries_of(model_.capabilities))
      if (!is_global(key))
        add("capability_local", json_pointer("capabilities", key), canonical_string(key) + " is no global key",
            canonical_string(namespace_ + "::" + key) + "; control planes expand no names");
    for (const auto &[name, rpc] : entries_of(model_.rpc))
      capability_list(rpc.call, "rpc", name, "call");
    for (const auto &[name, operation] : entries_of(model_.operations)) {
      const auto &lists = lists_of(operation);
      capability_list(lists.call, "operations", name, "call");
      capability_list(lists.observe, "operations", name, "observe");
      capability_list(lists.cancel, "operations", name, "cancel");
      capability_list(lists.control, "operations", name, "control");
      if (lists.cancel && !can_cancel(operation))
        add("cancel_list_unused", json_pointer("operations", name, "capabilities", "cancel"),
            "counts for nothing, because the operation can't be cancelled", "\"cancel\": true, or no list");
    }
    for (const auto &[name, event] : entries_of(model_.events)) {
      capability_list(lists_of(event).publish, "events", name, "publish");
      capability_list(lists_of(event).subscribe, "events", name, "subscribe");
    }
    for (const auto &[name, feed] : entries_of(model_.feeds))
      capability_list(feed.subscribe, "feeds", name, "subscribe");
  }

  void cut_lists() {
    for (const auto &[queue, job] : entries_of(model_.jobs)) // 01 §3.12
      backoff(job.backoff_ms, job.max_deliver.value_or(5), json_pointer("jobs", queue, "backoffMs"), "maxDeliver");
    for (const auto &[group, consumer] : entries_of(model_.event_consumers)) // 01 §3.11
      backoff(consumer.backoff_ms, consumer.max_deliver.value_or(6) - 1,
              json_pointer("eventConsumers", group, "backoffMs"), "maxDeliver - 1");
  }

  void event_subjects() {
    for (const auto &[name, event] : entries_of(model_.events))
      if (const auto glued = glued_token(wildcard_subject(event.subject)); !glued.empty())
        add("event_template_glued", json_pointer("events", name, "subject"),
            "a template shares its token with text, which NATS takes literally: " + glued,
            "templates that fill a token between dots");
  }

  std::vector<Error> list;

private:
  void add(const char *category, std::string where, std::string message, std::string expected) {
    if (list.size() < kMaxWarnings)
      list.push_back({category, std::move(where), std::move(message), std::move(expected), {}});
  }

  // What normalization left out (01 §2.4). Schemas are kept as they are.
  void compare(const JsonValue &written, const JsonValue &kept, const std::string &where) {
    if (written.IsArray() && kept.IsArray() && written.Size() == kept.Size())
      for (rapidjson::SizeType i = 0; i < written.Size(); ++i)
        compare(written[i], kept[i], where + json_pointer(std::to_string(i)));
    if (!written.IsObject() || !kept.IsObject() || where == "/schemas") return;
    std::unordered_map<std::string_view, const JsonValue *> members;
    for (const auto &[name, value] : kept.GetObject())
      members.emplace(text_of(name), &value);
    for (const auto &[name, value] : written.GetObject()) {
      const auto found = members.find(text_of(name));
      const auto pointer = where + json_pointer(text_of(name));
      if (found != members.end())
        compare(value, *found->second, pointer);
      else if (!is_dropped_by_rule(where, text_of(name), value))
        dropped(where, text_of(name), pointer);
    }
  }
  // Members of the field tables that normalization drops (01 §3.6, §3.9).
  static bool is_dropped_by_rule(const std::string &where, std::string_view name, const JsonValue &value) {
    return (name == "internal" && where.starts_with("/rpc/")) || (name == "capabilities" && value.IsObject());
  }
  void dropped(const std::string &where, std::string_view name, const std::string &pointer) {
    if (where == "/uses")
      add("use_without_group", pointer, "is dropped, because it is in no group",
          json_pointer("uses", "required", name) + " or " + json_pointer("uses", "optional", name));
    else
      add("unknown_member", pointer, "is no member of a contract here, and is dropped",
          "a member of chapter 01, section 3");
  }

  void schema_ref(const std::string &name, std::string where) {
    if (!schemas_.contains(name))
      add("unknown_schema_ref", std::move(where), canonical_string(name) + " is not in /schemas",
          "the name of a schema in /schemas; Rust clients refuse this");
  }

  void transfer(const std::string &name, const OperationSurface &operation, const OperationTransfer &transfer) {
    const auto where = json_pointer("operations", name, "transfer");
    const bool has_store =
        model_.resources && model_.resources->store && find_named(*model_.resources->store, transfer.store) != nullptr;
    if (!has_store)
      add("transfer_store", where + "/store", canonical_string(transfer.store) + " is not in /resources/store",
          "the alias of a store");
    const auto *input = manifest_.schema(operation.input);
    if (!input) return;
    payload_pointer(*input, transfer.key, where + "/key");
    if (transfer.content_type) payload_pointer(*input, *transfer.content_type, where + "/contentType");
    if (transfer.metadata) payload_pointer(*input, *transfer.metadata, where + "/metadata");
  }
  void payload_pointer(const JsonValue &schema, const std::string &pointer, std::string where) {
    if (is_payload_pointer(pointer) && resolve_pointers(schema, {pointer}).contains(pointer)) return;
    add("transfer_pointer", std::move(where), canonical_string(pointer) + " leads nowhere in the input's schema",
        "a pointer to a property of the input");
  }

  void error_types() {
    std::unordered_map<std::string_view, int> declared;
    for (const auto &[key, error] : entries_of(model_.errors))
      ++declared[error.type];
    for (const auto &[name, rpc] : entries_of(model_.rpc))
      for (const auto &type : names_in(rpc.errors))
        if (!declared.contains(type) && !is_builtin_error(type))
          add("undeclared_error", json_pointer("rpc", name, "errors"), canonical_string(type) + " is not in /errors",
              "the type of a declared or built-in error");
  }

  static bool is_global(std::string_view key) {
    return key == "admin" || key == "service" || key.find("::") != std::string_view::npos;
  }
  void capability_list(const std::optional<NameList> &keys, std::string_view section, const std::string &name,
                       std::string_view list_name) {
    for (const auto &key : names_in(keys)) {
      const bool own = key.starts_with(namespace_ + "::");
      if (capabilities_.contains(key) || (is_global(key) && !own)) continue;
      add("capability_undeclared", json_pointer(section, name, "capabilities", list_name),
          canonical_string(key) + " is not in /capabilities, so operators see no description of it",
          own ? "a declared capability" : "a declared capability, or the global key of another contract's");
    }
  }

  void backoff(const std::optional<std::vector<double>> &pauses, double most, const std::string &where,
               std::string_view rule) {
    if (!pauses || static_cast<double>(pauses->size()) <= most) return;
    add("backoff_cut", where,
        "only the first " + ecmascript_number(most) + " of " + std::to_string(pauses->size()) + " entries count",
        "no more entries than " + std::string(rule));
  }

  // A token with "*" and something else.
  static std::string glued_token(std::string_view subject) {
    while (!subject.empty()) {
      const auto token = subject.substr(0, subject.find('.'));
      if (token.size() > 1 && token.find('*') != std::string_view::npos) return canonical_string(token);
      subject.remove_prefix(std::min(token.size() + 1, subject.size()));
    }
    return {};
  }

  const Manifest &manifest_;
  const ManifestModel &model_;
  NameIndex<const JsonValue *> schemas_;
  NameIndex<CapabilityText> capabilities_;
  std::string namespace_;
};

} // namespace

std::vector<Error> contract_warnings(const JsonValue &written, const Manifest &manifest) {
  Warnings warnings(manifest);
  warnings.dropped_members(written);
  warnings.unchecked_references();
  warnings.capability_names();
  warnings.cut_lists();
  warnings.event_subjects();
  return std::move(warnings.list);
}

} // namespace trellis::cli
