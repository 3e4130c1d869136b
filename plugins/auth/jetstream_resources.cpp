#include "jetstream_resources.h"
#include "contracts/authority_json.h"
#include "contracts/json.h"
#include "contracts/json_write.h"
#include "contracts/resource_configs.h"
#include "resource_objects.h"
#include "wire/ulid.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

constexpr char kJobsContract[] = "trellis.jobs@v1";

using JobsStreams = std::function<Result<void>(ResourceObjects &, const std::string &label)>;

const StoredBinding *find_binding(const std::vector<StoredBinding> &bindings, const ResourceNeed &need) {
  const auto found = std::ranges::find_if(bindings, [&](const StoredBinding &binding) {
    return binding.kind == resource_kind_name(need.kind) && binding.alias == need.alias;
  });
  return found == bindings.end() ? nullptr : &*found;
}

PhysicalName physical_name(const StoredBinding &binding) {
  const auto kind = resource_kind_of(binding.kind);
  const auto document = parse_json(binding.binding);
  return kind && document ? trellis::physical_name(*kind, *document) : PhysicalName{};
}

std::string label_of(const ResourceNeed &need) {
  return resource_label(resource_kind_name(need.kind), need.alias);
}

class Run {
public:
  Run(ResourceObjects &objects, int replicas, const ProvisionRequest &request, JobsStreams jobs_streams)
      : objects_(objects), replicas_(replicas), request_(request), jobs_streams_(std::move(jobs_streams)) {}

  Result<std::vector<StoredBinding>> run() {
    for (auto step : {&Run::bind_all, &Run::reserve_names, &Run::make_all, &Run::remove_gone})
      if (auto done = (this->*step)(); !done) return tl::make_unexpected(done.error());
    return std::move(stored_);
  }

private:
  Result<void> bind_all() {
    const std::string jobs_namespace = trellis::jobs_namespace(binding_refs(request_.stored));
    for (const ResourceNeed &need : request_.desired) {
      const StoredBinding *before = find_binding(request_.stored, need);
      const StoredBinding *own = before ? before : find_binding(request_.reserved, need);
      auto bound = bind_resource(need, {own ? std::string_view(own->binding) : std::string_view(), jobs_namespace},
                                 new_secret_ulid);
      if (!bound) return tl::make_unexpected(bound.error());
      stored_.push_back({std::string(resource_kind_name(need.kind)), need.alias, binding_json(*bound),
                         before ? before->created_at : request_.now, request_.now});
      if (!own || physical_name(*own).stream.empty()) new_names_.push_back(stored_.back());
      bound_.push_back(std::move(*bound));
    }
    return {};
  }

  Result<void> reserve_names() {
    return new_names_.empty() || !request_.reserve ? Result<void>() : request_.reserve(new_names_);
  }

  Result<void> make_all() {
    for (std::size_t i = 0; i < bound_.size(); ++i)
      if (auto made = make(label_of(request_.desired[i]), bound_[i]); !made) return made;
    const bool runs_jobs = std::ranges::find(request_.owned_ids, kJobsContract) != request_.owned_ids.end();
    return runs_jobs ? make_jobs_streams(kJobsContract) : Result<void>();
  }

  Result<void> make(const std::string &label, const ResourceBinding &binding) {
    if (const auto *kv = std::get_if<KvBinding>(&binding))
      return objects_.ensure_bucket(label, kv_stream(*kv, replicas_));
    if (const auto *store = std::get_if<StoreBinding>(&binding))
      return objects_.ensure_bucket(label, store_stream(*store, replicas_));
    if (const auto *consumer = std::get_if<EventConsumerBinding>(&binding))
      return objects_.ensure_consumer(label, event_consumer(*consumer));
    if (auto made = make_jobs_streams(label); !made) return made;
    return objects_.ensure_consumer(label, queue_consumer(std::get<JobsBinding>(binding)));
  }

  // Once a run, with the first resource that needs them.
  Result<void> make_jobs_streams(const std::string &label) {
    if (has_jobs_streams_) return {};
    has_jobs_streams_ = true;
    return jobs_streams_(objects_, label);
  }

  Result<void> remove_gone() {
    for (const auto *names : {&request_.stored, &request_.reserved})
      for (const StoredBinding &binding : *names) {
        if (is_desired(binding)) continue;
        if (auto removed = objects_.remove(resource_label(binding.kind, binding.alias), physical_name(binding));
            !removed)
          return removed;
      }
    return {};
  }

  bool is_desired(const StoredBinding &binding) const {
    return std::ranges::any_of(request_.desired, [&](const ResourceNeed &need) {
      return binding.kind == resource_kind_name(need.kind) && binding.alias == need.alias;
    });
  }

  ResourceObjects &objects_;
  int replicas_;
  const ProvisionRequest &request_;
  JobsStreams jobs_streams_;
  bool has_jobs_streams_ = false;
  std::vector<ResourceBinding> bound_;   // of request_.desired, in its order
  std::vector<StoredBinding> stored_;    // the same, as they will be stored
  std::vector<StoredBinding> new_names_; // those of them with names that no run before knew
};

bool asks_for_nothing(const ProvisionRequest &request) {
  return request.desired.empty() && request.stored.empty() && request.reserved.empty() &&
         std::ranges::find(request.owned_ids, kJobsContract) == request.owned_ids.end();
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

Result<void> JetStreamResources::ensure_jobs_streams(ResourceObjects &objects, const std::string &label) {
  const std::lock_guard lock(jobs_streams_);
  for (const StreamConfig &stream : jobs_streams(replicas().count))
    if (auto made = objects.ensure_shared(label, stream); !made) return made;
  return {};
}

Result<std::vector<StoredBinding>> JetStreamResources::provision(const ProvisionRequest &request) {
  if (asks_for_nothing(request)) return std::vector<StoredBinding>{};
  const Replicas copies = replicas();
  ResourceObjects objects(trellis_, copies);
  auto done = Run(objects, copies.count, request, [this](ResourceObjects &made, const std::string &label) {
                return ensure_jobs_streams(made, label);
              }).run();
  if (!done && !objects.undo() && log_)
    log_(Level::warn, "what a failed reconciliation created could not be deleted; the next one finds it",
         JsonObjectText().text("deploymentId", request.deployment_id).str());
  return done;
}

} // namespace trellis::auth
