// Names and configurations of resources by themselves: provision-queues and stream-source of jobs-wire, stream-config
// of object-store (README §3.6, §3.7; 08 §2, §4; 09 B2, C2). Other kinds of these files belong to other topics.
#include "authority_cases.h"
#include "contracts/json_write.h"
#include "contracts/resource_configs.h"
#include "nats/nats_test_support.h"
#include "output.h"
#include "provision_cases.h"
#include "support/nats_server.h"
#include "support/wait_until.h"
#include "transport/jetstream.h"
#include <algorithm>
#include <deque>
#include <memory>
#include <rapidjson/document.h>
#include <utility>

namespace trellis::vectors {
namespace {

constexpr char kName[] = "tr_name";

JsonDocument json_of(const std::string &text) {
  return value_of(parse_json(text), text);
}

// A configuration without the members that cases don't spell.
JsonDocument config_without(const std::string &config, const char *left_out) {
  JsonDocument document = json_of(config);
  document.RemoveMember(left_out);
  return document;
}

JsonDocument run_stream_config(const Input &input, const CaseContext &context) {
  const std::string kind = input.text("resource"), definition = to_json(input.at("request"));
  if (kind != "kv" && kind != "store") throw std::runtime_error("unknown resource " + kind);
  const bool kv = kind == "kv";
  const std::string own = JsonObjectText().text(kv ? "bucket" : "name", kName).str();
  const auto binding = value_of(
      bind_resource({kv ? ResourceKind::kv : ResourceKind::store, "x", true, definition}, {own, {}}, {}), "definition");
  const StreamConfig stream =
      kv ? kv_stream(std::get<KvBinding>(binding), 1) : store_stream(std::get<StoreBinding>(binding), 1);
  (*context.values)["name"] = kName;
  return Output().text("stream", stream.name).json("config", config_without(stream.config, "name")).take();
}

// ---------------------------------------------------------------- provision-queues

// The names of a case, prefixes cut off: a namespace is generated where there is none, then a queue's token.
class CaseTokens {
public:
  explicit CaseTokens(const Input &input) : namespace_(cut(input.text("generatedNamespace"), "tr_jobs_")) {
    for (const JsonValue &token : input.at("generatedQueueTokens").GetArray())
      queues_.push_back(cut(std::string(text_of(token)), "tr_jq_"));
  }
  NewToken of_queue(bool has_namespace) {
    return [this, has_namespace, first = true]() mutable {
      if (std::exchange(first, false) && !has_namespace) return namespace_;
      if (queues_.empty()) throw std::runtime_error("more queues than generatedQueueTokens");
      auto token = queues_.front();
      queues_.pop_front();
      return token;
    };
  }

private:
  static std::string cut(const std::string &name, std::string_view prefix) {
    if (!name.starts_with(prefix)) throw std::runtime_error(name + " doesn't begin with " + std::string(prefix));
    return name.substr(prefix.size());
  }
  std::string namespace_;
  std::deque<std::string> queues_;
};

std::vector<BindingRef> existing_bindings(const JsonValue &list) {
  std::vector<BindingRef> out;
  for (const JsonValue &entry : list.GetArray())
    out.push_back({ResourceKind::jobs, std::string(string_member(entry, "alias")), to_json(entry["binding"])});
  return out;
}

std::vector<ResourceNeed> queue_needs(const JsonValue &list) {
  std::vector<ResourceNeed> out;
  for (const JsonValue &entry : list.GetArray())
    out.push_back({ResourceKind::jobs, std::string(string_member(entry, "alias")), true, to_json(entry["definition"])});
  std::ranges::sort(out, {}, &ResourceNeed::alias);
  return out;
}

// [[stream, consumer]]
JsonDocument deleted_consumers(const std::vector<BindingRef> &existing, const std::vector<ResourceNeed> &needs) {
  std::string out;
  for (const BindingRef &binding : existing) {
    if (std::ranges::find(needs, binding.alias, &ResourceNeed::alias) != needs.end()) continue;
    const PhysicalName name = physical_name(binding.kind, json_of(binding.binding));
    out += (out.empty() ? "[\"" : ",[\"") + name.stream + "\",\"" + name.consumer + "\"]";
  }
  return json_of("[" + out + "]");
}

JsonDocument run_provision_queues(const Input &input, const CaseContext &) {
  (void)input.text("deploymentId");
  const auto existing = existing_bindings(input.at("existing"));
  const auto needs = queue_needs(input.at("definitions"));
  CaseTokens tokens(input);
  const std::string known_namespace = jobs_namespace(existing);
  Output bindings(rapidjson::kArrayType), consumers(rapidjson::kArrayType);
  for (const ResourceNeed &need : needs) {
    const auto own = std::ranges::find(existing, need.alias, &BindingRef::alias);
    const std::string stored = own == existing.end() ? "" : own->binding;
    const auto bound = bind_resource(need, {stored, known_namespace}, tokens.of_queue(!known_namespace.empty()));
    if (!bound) return Output().text("error", "invalid-definition").take();
    bindings.push(std::move(Output().text("alias", need.alias).json("binding", json_of(binding_json(*bound)))));
    const ConsumerConfig consumer = queue_consumer(std::get<JobsBinding>(*bound));
    consumers.push(std::move(Output()
                                 .text("stream", consumer.stream)
                                 .json("config", config_without(consumer.config, "deliver_policy")))); // "all"
  }
  Output out;
  out.json("bindings", std::move(bindings)).json("consumers", std::move(consumers));
  return out.json("deletedConsumers", deleted_consumers(existing, needs)).take();
}

// ---------------------------------------------------------------- stream-source

// The job streams on a server of their own; every case finds and leaves JOBS_WORK empty.
class JobStreams {
public:
  JobStreams() {
    for (const StreamConfig &stream : jobs_streams(1))
      (void)value_of(jetstream_.create_stream(stream.name, stream.config), stream.name);
  }

  // The subject on which JOBS_WORK holds what was published to JOBS; "" = it doesn't.
  std::string work_subject(const std::string &subject) {
    (void)value_of(jetstream_.publish(subject, "{}"), subject);
    // Each source keeps its order: what came before these markers is there, or never will be.
    for (const char *marker : {"trellis.jobs.marker.created.M.created", "trellis.jobs.marker.retried.M.retried"})
      (void)value_of(jetstream_.publish(marker, "{}"), marker);
    std::vector<std::string> held;
    const bool complete = test::wait_until([&] {
      held = value_of(jetstream_.subjects("JOBS_WORK", ">"), "subjects");
      return std::erase_if(held, [](const std::string &one) { return one.starts_with("trellis.work.marker."); }) == 2;
    });
    if (!complete) throw std::runtime_error("JOBS_WORK doesn't take what JOBS holds");
    (void)value_of(jetstream_.api("STREAM.PURGE.JOBS_WORK"), "purge");
    if (held.size() > 1) throw std::runtime_error("JOBS_WORK holds it more than once");
    return held.empty() ? "" : held[0];
  }

private:
  test::NatsServer server_;
  std::unique_ptr<NatsLoop> loop_ = test::start_loop();
  std::unique_ptr<NatsTransport> transport_ = test::open_connected(*loop_, server_.url());
  JetStream jetstream_{*transport_};
};

JsonDocument run_stream_source(const Input &input, JobStreams &streams) {
  if (const std::string stream = input.text("publishedTo"); stream != "JOBS")
    throw std::runtime_error("unknown stream " + stream);
  const std::string subject = streams.work_subject(input.text("subject"));
  return subject.empty() ? Output().json("workSubject", JsonValue()).take()
                         : Output().text("workSubject", subject).take();
}

} // namespace

void register_resource_configs(Registry &registry) {
  Kinds &objects = registry["object-store"];
  objects["stream-config"] = {run_stream_config, {.subset = {"config"}}};
  objects.try_emplace("object-store");
  Kinds &jobs = registry["jobs-wire"];
  jobs["provision-queues"] = {run_provision_queues};
  const auto streams = std::make_shared<std::unique_ptr<JobStreams>>(); // started by the first case
  jobs["stream-source"] = {[streams](const Input &input, const CaseContext &) {
    if (!*streams) *streams = std::make_unique<JobStreams>();
    return run_stream_source(input, **streams);
  }};
  for (const char *kind : {"Jobs.Cancel", "Jobs.DismissDLQ", "Jobs.ReplayDLQ", "Jobs.Retry", "create", "job-ref-cancel",
                           "must-accept", "process", "service-grants", "worker-heartbeat", "worker-loop"})
    jobs.try_emplace(kind);
}

} // namespace trellis::vectors
