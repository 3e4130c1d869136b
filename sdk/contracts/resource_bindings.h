// What a resource need becomes: physical names and the binding that services get (02 §7.2, §7.4; 08 §4.1 to §4.3).
//
// Pure: reconciliation, inspection and the vectors go through here, and whoever provisions has the numbers checked
// before anything is created. Names are opaque and never derive from contract text, so a need alone doesn't tell them:
// they come from the binding of the last run, or from fresh tokens. A binding is a struct until it is written, because
// the configurations of streams and consumers (resource_configs.h) are made from the same checked values; JSON in, JSON
// out would check them twice, and perhaps differently.
#pragma once

#include "contracts/authority.h"
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace trellis {

inline constexpr char kJobsStream[] = "JOBS";
inline constexpr char kJobsWorkStream[] = "JOBS_WORK";
inline constexpr char kJobsAdvisoriesStream[] = "JOBS_ADVISORIES";

// Durations are in milliseconds, at most what JetStream's nanoseconds hold.
struct KvBinding {
  std::string bucket;
  std::int64_t history = 1, ttl_ms = 0;
  std::optional<std::int64_t> max_value_bytes;
};
struct StoreBinding {
  std::string name;
  std::int64_t ttl_ms = 0;
  std::optional<std::int64_t> max_object_bytes, max_total_bytes; // the first is for clients only
};
struct EventConsumerBinding {
  std::string alias, stream, consumer_name;
  std::vector<std::string> filter_subjects;
  std::string replay, ordering; // "new" | "all"; "strict"
  std::int64_t concurrency = 1, ack_wait_ms = 0, max_deliver = 0;
  std::vector<std::int64_t> backoff_ms;
};
struct JobsBinding {
  std::string name_space, work_stream, queue_type;
  std::string payload, result; // {"schema": name}; result "" when there is none
  std::int64_t max_deliver = 0, ack_wait_ms = 0, concurrency = 1;
  std::vector<std::int64_t> backoff_ms;
  std::optional<std::int64_t> default_deadline_ms;
  bool progress = true, logs = true, dlq = true;
  std::string publish_prefix, work_subject, consumer_name;
};
using ResourceBinding = std::variant<KvBinding, StoreBinding, EventConsumerBinding, JobsBinding>;

std::string binding_json(const ResourceBinding &binding); // 02 §7.4, as it is stored

std::string resource_label(std::string_view kind, std::string_view alias); // kv "cache": how errors call it

// A new ULID with fresh random bits, in either case. Ends of tokens are cut, so those of a counter won't do: two queues
// would share a consumer.
using NewToken = std::function<std::string()>;

// Names that exist already: `own` is the need's stored binding (JSON), "" without one; names in it are reused as they
// are, and what it lacks is generated. `jobs_namespace`: jobs_namespace() of the deployment, "" without one.
struct KnownNames {
  std::string_view own, jobs_namespace;
};
// Of any kind but transfer, which has no binding. Error "resource_definition" names the resource and the member: a
// number that is negative, fractional or beyond what JetStream holds, a flag that is none, a queue without payload, an
// event consumer without stream or filter; a stored name that would be another subject.
Result<ResourceBinding> bind_resource(const ResourceNeed &need, const KnownNames &known, const NewToken &new_token);

// The namespace of the first jobs binding in alias order that has one, else "".
std::string jobs_namespace(std::vector<BindingRef> stored);

// `resources` of a bootstrap's or Trellis.Bindings.Get's binding: those bindings that `requested` names. Namespace and
// work stream of the queues are those of the first jobs record in alias order.
std::string bound_resources_json(std::vector<BindingRef> bindings, const std::vector<ResourceNeed> &requested);

} // namespace trellis
