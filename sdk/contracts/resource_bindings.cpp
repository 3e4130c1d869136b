#include "contracts/resource_bindings.h"

#include "contracts/json_write.h"
#include "contracts/resource_definition.h"
#include <algorithm>
#include <tuple>

namespace trellis {
namespace {

constexpr std::int64_t kAckWaitMs = 300'000;
constexpr std::int64_t kJobDeliveries = 5, kEventDeliveries = 6;
constexpr std::size_t kMostNamespace = 32, kMostQueueToken = 48, kMostDurable = 64; // 02 §7.2, 08 §4.2

const std::vector<std::int64_t> &default_backoff() {
  static const std::vector<std::int64_t> kBackoffMs = {5000, 30000, 120000, 600000, 1800000};
  return kBackoffMs;
}

std::vector<std::int64_t> cut_to(std::vector<std::int64_t> backoff, std::int64_t entries) {
  if (entries < static_cast<std::int64_t>(backoff.size()))
    backoff.resize(static_cast<std::size_t>(std::max<std::int64_t>(entries, 0)));
  return backoff;
}

std::string generated(std::string_view prefix, const NewToken &new_token, std::size_t most) {
  std::string name = std::string(prefix) + new_token();
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return name.substr(0, most);
}

bool is_name(std::string_view text) { // 09 D1
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

// Stored names of queues and consumers keep whatever form they have (02 §7.2), as long as they are one token.
bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::none_of(text, [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 127 || c == '.' || c == '*' || c == '>' || c == '/' ||
           c == '\\';
  });
}

bool is_plain_subject(std::string_view text) {
  for (;;) {
    const auto dot = text.find('.');
    if (!is_token(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

// Names of the stored binding, or fresh ones.
class Names {
public:
  Names(const KnownNames &known, const NewToken &new_token)
      : known_(known), new_token_(new_token), own_(parse_json(known.own.empty() ? "{}" : known.own)) {}

  std::string stored(const char *member) const { return own_ ? std::string(string_member(*own_, member)) : ""; }
  std::string name(const char *member, std::string_view prefix, std::size_t most) const {
    std::string name = stored(member);
    return name.empty() ? generated(prefix, new_token_, most) : name;
  }
  std::string deployment_namespace() const { return std::string(known_.jobs_namespace); }
  std::string fresh(std::string_view prefix, std::size_t most) const { return generated(prefix, new_token_, most); }

private:
  const KnownNames &known_;
  const NewToken &new_token_;
  Result<JsonDocument> own_;
};

void check_name(ResourceDefinition &definition, const char *member, const std::string &name, bool sound) {
  if (!sound)
    definition.refuse(member, "has the stored name \"" + name + "\"",
                      "a name without blanks, dots, slashes and wildcards");
}

KvBinding bind_kv(ResourceDefinition &definition, const Names &names) {
  KvBinding out;
  out.history = definition.number_or("history", 1);
  out.ttl_ms = definition.number_or("ttlMs", 0, kMostMs);
  out.max_value_bytes = definition.number("maxValueBytes", kMostInt32);
  out.bucket = names.name("bucket", "tr_kv_", std::string::npos);
  check_name(definition, "bucket", out.bucket, is_name(out.bucket));
  return out;
}

StoreBinding bind_store(ResourceDefinition &definition, const Names &names) {
  StoreBinding out;
  out.ttl_ms = definition.number_or("ttlMs", 0, kMostMs);
  out.max_object_bytes = definition.number("maxObjectBytes");
  out.max_total_bytes = definition.number("maxTotalBytes");
  out.name = names.name("name", "tr_obj_", std::string::npos);
  check_name(definition, "name", out.name, is_name(out.name));
  return out;
}

EventConsumerBinding bind_event_consumer(ResourceDefinition &definition, const std::string &alias, const Names &names) {
  EventConsumerBinding out;
  out.alias = alias;
  out.stream = definition.required_text("stream");
  out.filter_subjects = definition.texts("filterSubjects");
  out.replay = definition.text_or("replay", "new");
  if (out.replay != "new" && out.replay != "all") definition.refuse("replay", "is " + out.replay, "new or all");
  out.ordering = definition.text_or("ordering", "strict");
  out.concurrency = definition.number_or("concurrency", 1);
  out.ack_wait_ms = definition.number_or("ackWaitMs", kAckWaitMs, kMostMs);
  out.max_deliver = definition.number_or("maxDeliver", kEventDeliveries);
  const auto declared = definition.durations("backoffMs");
  out.backoff_ms = declared ? *declared : cut_to(default_backoff(), out.max_deliver - 1);
  out.consumer_name = names.name("consumerName", "tr_cons_", kMostDurable);
  check_name(definition, "stream", out.stream, is_token(out.stream));
  check_name(definition, "consumerName", out.consumer_name, is_token(out.consumer_name));
  return out;
}

// A declared list counts as the default when it equals it: the definition always holds one (08 §4.1).
std::vector<std::int64_t> queue_backoff(const std::optional<std::vector<std::int64_t>> &declared,
                                        std::int64_t max_deliver) {
  if (!declared) return cut_to(default_backoff(), max_deliver - 1);
  return *declared == default_backoff() ? cut_to(*declared, max_deliver) : *declared;
}

// The queue's subjects keep the namespace that they were made with; the member `namespace` is the deployment's first.
void name_queue(JobsBinding &out, const Names &names) {
  out.name_space = names.deployment_namespace();
  if (out.name_space.empty()) out.name_space = names.name("namespace", "tr_jobs_", kMostNamespace);
  out.publish_prefix = names.stored("publishPrefix");
  out.work_subject = names.stored("workSubject");
  out.consumer_name = names.stored("consumerName");
  if (!out.publish_prefix.empty() && !out.work_subject.empty() && !out.consumer_name.empty()) return;
  const std::string token = names.fresh("tr_jq_", kMostQueueToken);
  if (out.publish_prefix.empty()) out.publish_prefix = "trellis.jobs." + out.name_space + "." + token;
  if (out.work_subject.empty()) out.work_subject = "trellis.work." + out.name_space + "." + token;
  if (out.consumer_name.empty()) out.consumer_name = (out.name_space + "_" + token).substr(0, kMostDurable);
}

JobsBinding bind_jobs(ResourceDefinition &definition, const std::string &alias, const Names &names) {
  JobsBinding out;
  out.work_stream = kJobsWorkStream;
  out.queue_type = definition.text_or("queueType", alias);
  out.payload = definition.ref("payload", true);
  out.result = definition.ref("result", false);
  out.max_deliver = definition.number_or("maxDeliver", kJobDeliveries);
  out.backoff_ms = queue_backoff(definition.durations("backoffMs"), out.max_deliver);
  out.ack_wait_ms = definition.number_or("ackWaitMs", kAckWaitMs, kMostMs);
  out.default_deadline_ms = definition.number("defaultDeadlineMs");
  if (out.default_deadline_ms == 0) out.default_deadline_ms.reset();
  out.progress = definition.flag_or("progress", true);
  out.logs = definition.flag_or("logs", true);
  out.dlq = definition.flag_or("dlq", true);
  out.concurrency = definition.number_or("concurrency", 1);
  name_queue(out, names);
  check_name(definition, "namespace", out.name_space, is_token(out.name_space));
  check_name(definition, "consumerName", out.consumer_name, is_token(out.consumer_name));
  check_name(definition, "publishPrefix", out.publish_prefix, is_plain_subject(out.publish_prefix));
  check_name(definition, "workSubject", out.work_subject, is_plain_subject(out.work_subject));
  return out;
}

std::string numbers(const std::vector<std::int64_t> &values) {
  std::string out = "[";
  for (const auto value : values)
    out += (out.size() > 1 ? "," : "") + std::to_string(value);
  return out + "]";
}

void add_if(JsonObjectText &out, std::string_view name, const std::optional<std::int64_t> &number) {
  if (number) out.number(name, *number);
}

std::string json_of(const KvBinding &binding) {
  JsonObjectText out;
  out.text("bucket", binding.bucket).number("history", binding.history).number("ttlMs", binding.ttl_ms);
  add_if(out, "maxValueBytes", binding.max_value_bytes);
  return out.str();
}

std::string json_of(const StoreBinding &binding) {
  JsonObjectText out;
  out.text("name", binding.name).number("ttlMs", binding.ttl_ms);
  add_if(out, "maxObjectBytes", binding.max_object_bytes);
  add_if(out, "maxTotalBytes", binding.max_total_bytes);
  return out.str();
}

std::string json_of(const EventConsumerBinding &binding) {
  return JsonObjectText()
      .text("alias", binding.alias)
      .text("stream", binding.stream)
      .text("consumerName", binding.consumer_name)
      .texts("filterSubjects", binding.filter_subjects)
      .text("replay", binding.replay)
      .text("ordering", binding.ordering)
      .number("concurrency", binding.concurrency)
      .number("ackWaitMs", binding.ack_wait_ms)
      .number("maxDeliver", binding.max_deliver)
      .json("backoffMs", numbers(binding.backoff_ms))
      .str();
}

std::string json_of(const JobsBinding &binding) {
  JsonObjectText out;
  out.text("namespace", binding.name_space).text("workStream", binding.work_stream);
  out.text("queueType", binding.queue_type).json("payload", binding.payload);
  if (!binding.result.empty()) out.json("result", binding.result);
  out.number("maxDeliver", binding.max_deliver).json("backoffMs", numbers(binding.backoff_ms));
  out.number("ackWaitMs", binding.ack_wait_ms);
  add_if(out, "defaultDeadlineMs", binding.default_deadline_ms);
  out.flag("progress", binding.progress).flag("logs", binding.logs).flag("dlq", binding.dlq);
  out.number("concurrency", binding.concurrency).text("publishPrefix", binding.publish_prefix);
  return out.text("workSubject", binding.work_subject).text("consumerName", binding.consumer_name).str();
}

void sort_by_key(std::vector<BindingRef> &bindings) {
  std::ranges::sort(bindings, {}, [](const BindingRef &binding) {
    return std::tuple(resource_kind_name(binding.kind), std::string_view(binding.alias));
  });
}

} // namespace

std::string resource_label(std::string_view kind, std::string_view alias) {
  return std::string(kind) + " \"" + std::string(alias) + "\"";
}

std::string binding_json(const ResourceBinding &binding) {
  return std::visit([](const auto &one) { return json_of(one); }, binding);
}

Result<ResourceBinding> bind_resource(const ResourceNeed &need, const KnownNames &known, const NewToken &new_token) {
  ResourceDefinition definition(need);
  const Names names(known, new_token);
  ResourceBinding out;
  switch (need.kind) {
  case ResourceKind::kv: out = bind_kv(definition, names); break;
  case ResourceKind::store: out = bind_store(definition, names); break;
  case ResourceKind::event_consumer: out = bind_event_consumer(definition, need.alias, names); break;
  case ResourceKind::jobs: out = bind_jobs(definition, need.alias, names); break;
  case ResourceKind::transfer: definition.refuse("type", "has no binding", "kv, store, jobs or event-consumer"); break;
  }
  if (definition.mistake()) return tl::make_unexpected(*definition.mistake());
  return out;
}

std::string jobs_namespace(std::vector<BindingRef> stored) {
  sort_by_key(stored);
  for (const BindingRef &binding : stored) {
    if (binding.kind != ResourceKind::jobs) continue;
    const auto document = parse_json(binding.binding);
    if (std::string name(document ? string_member(*document, "namespace") : ""); !name.empty()) return name;
  }
  return {};
}

} // namespace trellis
