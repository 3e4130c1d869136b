#include "jetstream_resources.h"
#include "contracts/json.h"
#include "contracts/json_write.h"
#include "transport/kv.h"
#include "wire/ulid.h"
#include <algorithm>
#include <limits>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

constexpr char kJobsContract[] = "trellis.jobs@v1";

std::string named(std::string_view kind, std::string_view alias) {
  return std::string(kind) + " \"" + std::string(alias) + "\"";
}

tl::unexpected<Error> not_provisioned(std::string what) {
  return fail("resource_not_provisioned", what, "resource " + what + " is not provisioned by this version");
}

// 02 §7.3: definitions come from plans, which were derived from a manifest of any numbers.
Result<std::int64_t> whole_number(const JsonValue &definition, const std::string &where, const char *name,
                                  std::int64_t otherwise) {
  const JsonValue *value = find_member(definition, name);
  if (!value) return otherwise;
  const double number = value->IsNumber() ? value->GetDouble() : -1;
  if (!(number >= 0 && number <= 9e12) || number != static_cast<double>(static_cast<std::int64_t>(number)))
    return fail("resource_definition", where + "." + name, "is " + to_json(*value),
                "a whole number that isn't negative");
  return static_cast<std::int64_t>(number);
}

struct Bucket {
  std::string name;
  std::int64_t history = 1, ttl_ms = 0, max_value_bytes = -1; // -1: not declared
  std::string binding_json() const {
    JsonObjectText out;
    out.text("bucket", name).number("history", history).number("ttlMs", ttl_ms);
    if (max_value_bytes >= 0) out.number("maxValueBytes", max_value_bytes);
    return out.str();
  }
};

Result<Bucket> bucket_of(const ResourceNeed &need, const StoredBinding *stored) {
  const std::string where = named("kv", need.alias);
  const auto definition = parse_json(need.definition.empty() ? "{}" : need.definition);
  if (!definition) return fail("resource_definition", where, "has a definition that is no JSON");
  const auto history = whole_number(*definition, where, "history", 1);
  const auto ttl = whole_number(*definition, where, "ttlMs", 0);
  const auto size = whole_number(*definition, where, "maxValueBytes", -1);
  for (const auto *number : {&history, &ttl, &size})
    if (!*number) return tl::make_unexpected(number->error());
  Bucket bucket{{}, *history, *ttl, *size};
  if (stored)
    if (const auto binding = parse_json(stored->binding)) bucket.name = string_member(*binding, "bucket");
  if (bucket.name.empty()) {
    bucket.name = "tr_kv_" + new_ulid();
    std::ranges::transform(bucket.name, bucket.name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  }
  return bucket;
}

std::int64_t number_member(const JsonValue &object, const char *name) {
  const JsonValue *value = find_member(object, name);
  return value && value->IsInt64() ? value->GetInt64() : 0;
}

void set_number(JsonDocument &object, const char *name, std::int64_t number) {
  object.RemoveMember(name);
  object.AddMember(rapidjson::StringRef(name), number, object.GetAllocator());
}

// One run: knows what it created, so that it can take that back.
class Run {
public:
  Run(Transport &trellis, Replicas replicas, const ProvisionRequest &request)
      : jetstream_(trellis), replicas_(replicas), request_(request) {}

  Result<std::vector<StoredBinding>> run() {
    auto bindings = make_all();
    if (bindings)
      if (auto removed = remove_gone(); !removed) bindings = tl::make_unexpected(removed.error());
    if (!bindings) undo();
    return bindings;
  }

private:
  const StoredBinding *stored(std::string_view kind, std::string_view alias) const {
    const auto found = std::ranges::find_if(
        request_.stored, [&](const StoredBinding &binding) { return binding.kind == kind && binding.alias == alias; });
    return found == request_.stored.end() ? nullptr : &*found;
  }

  Result<std::vector<StoredBinding>> make_all() {
    std::vector<StoredBinding> bindings;
    for (const ResourceNeed &need : request_.desired) {
      const StoredBinding *before = stored(resource_kind_name(need.kind), need.alias);
      const auto bucket = bucket_of(need, before);
      if (!bucket) return tl::make_unexpected(bucket.error());
      if (auto made = make(*bucket); !made) return tl::make_unexpected(made.error());
      bindings.push_back({std::string(resource_kind_name(need.kind)), need.alias, bucket->binding_json(),
                          before ? before->created_at : request_.now, request_.now});
    }
    return bindings;
  }

  std::string stream_config(const Bucket &bucket) const {
    KvConfig config;
    config.bucket = bucket.name;
    config.history = static_cast<int>(std::min<std::int64_t>(bucket.history, std::numeric_limits<int>::max()));
    config.ttl = std::chrono::milliseconds(bucket.ttl_ms);
    config.max_value_bytes = bucket.max_value_bytes;
    config.replicas = replicas_.count;
    return kv_stream_config(config);
  }

  Result<void> make(const Bucket &bucket) {
    const std::string stream = "KV_" + bucket.name;
    const auto info = jetstream_.stream_info(stream);
    if (info) return change(stream, *info, stream_config(bucket));
    if (info.error().code != jetstream_error::kStreamNotFound) return tl::make_unexpected(info.error());
    const auto made = jetstream_.create_stream(stream, stream_config(bucket));
    // Without an answer it may have been created all the same; one that somebody else made meanwhile is theirs.
    if (made || made.error().code != jetstream_error::kStreamExists) created_.push_back(stream);
    if (!made) return tl::make_unexpected(made.error());
    return {};
  }

  Result<void> change(const std::string &stream, const JsonDocument &info, const std::string &wanted_text) {
    const JsonValue *current = find_member(info, "config");
    auto wanted = parse_json(wanted_text);
    if (!current || !current->IsObject() || !wanted)
      return fail(jetstream_error::kInvalid, stream, "the stream's description has no configuration");
    const std::int64_t copies = number_member(*current, "num_replicas");
    if (!replicas_.configured && copies > number_member(*wanted, "num_replicas"))
      set_number(*wanted, "num_replicas", copies);
    const bool same = std::ranges::all_of(
        std::initializer_list<const char *>{"max_msgs_per_subject", "max_age", "max_msg_size", "max_bytes",
                                            "num_replicas"},
        [&](const char *name) { return number_member(*current, name) == number_member(*wanted, name); });
    if (same) return {};
    JsonObjectText config; // the current one overlaid by 02 §7.3's table
    for (const auto &member : current->GetObject())
      if (!find_member(*wanted, text_of(member.name))) config.json(text_of(member.name), to_json(member.value));
    for (const auto &member : wanted->GetObject())
      config.json(text_of(member.name), to_json(member.value));
    if (const auto updated = jetstream_.update_stream(stream, config.str()); !updated)
      return tl::make_unexpected(updated.error());
    return {};
  }

  bool is_desired(const StoredBinding &binding) const {
    return std::ranges::any_of(request_.desired, [&](const ResourceNeed &need) {
      return binding.kind == resource_kind_name(need.kind) && binding.alias == need.alias;
    });
  }

  Result<void> remove_gone() {
    for (const StoredBinding &binding : request_.stored) {
      if (is_desired(binding)) continue;
      const auto document = parse_json(binding.binding);
      const std::string bucket(document ? string_member(*document, "bucket") : "");
      if (bucket.empty()) continue;
      const auto removed = jetstream_.delete_stream("KV_" + bucket);
      if (!removed && removed.error().code != jetstream_error::kStreamNotFound)
        return tl::make_unexpected(removed.error());
    }
    return {};
  }

  void undo() {
    for (const std::string &stream : created_)
      (void)jetstream_.delete_stream(stream); // what can't be deleted now can't be helped: the run's error says why
  }

  JetStream jetstream_;
  Replicas replicas_;
  const ProvisionRequest &request_;
  std::vector<std::string> created_;
};

// Before anything is touched.
Result<void> check_supported(const ProvisionRequest &request) {
  for (const ResourceNeed &need : request.desired)
    if (need.kind != ResourceKind::kv) return not_provisioned(named(resource_kind_name(need.kind), need.alias));
  for (const StoredBinding &binding : request.stored)
    if (binding.kind != "kv") return not_provisioned(named(binding.kind, binding.alias));
  if (std::ranges::find(request.owned_ids, kJobsContract) != request.owned_ids.end())
    return not_provisioned("streams of " + std::string(kJobsContract));
  return {};
}

} // namespace

JetStreamResources::JetStreamResources(Transport &trellis, Transport &system, std::optional<std::int64_t> configured,
                                       Log log)
    : trellis_(trellis), system_(system), log_(std::move(log)) {
  if (configured) known_ = Replicas{static_cast<int>(*configured), true};
}

// A probe that nobody answered is made again for the next run.
Replicas JetStreamResources::replicas() {
  const std::lock_guard lock(mutex_);
  if (known_) return *known_;
  const auto probed = probe_replicas(system_);
  if (probed) return known_.emplace(Replicas{*probed, false});
  if (log_)
    log_(Level::warn, "the number of replicas is unknown; streams get one",
         JsonObjectText().text("error", probed.error().text()).str());
  return {};
}

Result<std::vector<StoredBinding>> JetStreamResources::provision(const ProvisionRequest &request) {
  if (auto supported = check_supported(request); !supported) return tl::make_unexpected(supported.error());
  if (request.desired.empty() && request.stored.empty()) return std::vector<StoredBinding>{};
  return Run(trellis_, replicas(), request).run();
}

} // namespace trellis::auth
