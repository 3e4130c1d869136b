#include "contracts/compatibility.h"

#include "contracts/canonical.h"
#include "contracts/json_copy.h"
#include "contracts/name_index.h"
#include "contracts/schema_merge.h"

#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <unordered_set>

namespace trellis {
namespace {

// One comparison of 12.1 step 3: a plain field (`same`) or a schema field (`schema`).
template <class T>
struct Field {
  std::string_view name;
  bool (*same)(const T &, const T &);
  const std::string *(*schema)(const T &); // the name in the ref, nullptr when absent
};

const std::string *name_in(const std::string &name) {
  return &name;
}
const std::string *name_in(const std::optional<std::string> &name) {
  return name ? &*name : nullptr;
}

template <class T, auto Member>
constexpr Field<T> plain(std::string_view name) {
  return {name, [](const T &a, const T &b) { return a.*Member == b.*Member; }, nullptr};
}
template <class T, auto Member>
constexpr Field<T> schema(std::string_view name) {
  return {name, nullptr, [](const T &entry) { return name_in(entry.*Member); }};
}

// Subjects are compared before these, with a reason of their own.
constexpr Field<RpcSurface> kRpcFields[] = {
    plain<RpcSurface, &RpcSurface::version>("version"), schema<RpcSurface, &RpcSurface::input>("input"),
    schema<RpcSurface, &RpcSurface::output>("output"),  plain<RpcSurface, &RpcSurface::transfer_receive>("transfer"),
    plain<RpcSurface, &RpcSurface::errors>("errors"),   plain<RpcSurface, &RpcSurface::call>("capabilities"),
};
constexpr Field<OperationSurface> kOperationFields[] = {
    plain<OperationSurface, &OperationSurface::version>("version"),
    schema<OperationSurface, &OperationSurface::input>("input"),
    schema<OperationSurface, &OperationSurface::progress>("progress"),
    schema<OperationSurface, &OperationSurface::output>("output"),
    plain<OperationSurface, &OperationSurface::transfer>("transfer"),
    plain<OperationSurface, &OperationSurface::cancel>("cancel"),
    plain<OperationSurface, &OperationSurface::capabilities>("capabilities"),
};
constexpr Field<EventSurface> kEventFields[] = {
    plain<EventSurface, &EventSurface::version>("version"),
    plain<EventSurface, &EventSurface::params>("params"),
    schema<EventSurface, &EventSurface::event>("event"),
    plain<EventSurface, &EventSurface::capabilities>("capabilities"),
};
constexpr Field<FeedSurface> kFeedFields[] = {
    plain<FeedSurface, &FeedSurface::version>("version"),
    schema<FeedSurface, &FeedSurface::input>("input"),
    schema<FeedSurface, &FeedSurface::event>("event"),
    plain<FeedSurface, &FeedSurface::subscribe>("capabilities"),
};
constexpr Field<JobQueue> kJobFields[] = {
    schema<JobQueue, &JobQueue::payload>("payload"),
    schema<JobQueue, &JobQueue::result>("result"),
    plain<JobQueue, &JobQueue::max_deliver>("maxDeliver"),
    plain<JobQueue, &JobQueue::backoff_ms>("backoffMs"),
    plain<JobQueue, &JobQueue::ack_wait_ms>("ackWaitMs"),
    plain<JobQueue, &JobQueue::default_deadline_ms>("defaultDeadlineMs"),
    plain<JobQueue, &JobQueue::progress>("progress"),
    plain<JobQueue, &JobQueue::logs>("logs"),
    plain<JobQueue, &JobQueue::dlq>("dlq"),
    plain<JobQueue, &JobQueue::concurrency>("concurrency"),
};

// The five sections, for what is done alike in each: visit(word, section, fields).
template <class Visit>
void each_section(const ManifestModel &model, const Visit &visit) {
  visit("rpc", entries_of(model.rpc), std::span(kRpcFields));
  visit("operations", entries_of(model.operations), std::span(kOperationFields));
  visit("events", entries_of(model.events), std::span(kEventFields));
  visit("feeds", entries_of(model.feeds), std::span(kFeedFields));
  visit("jobs", entries_of(model.jobs), std::span(kJobFields));
}

Error conflict(std::string reason, std::string where, std::string message, std::string expected,
               std::vector<std::pair<std::string, std::string>> details) {
  return Error{std::move(reason), std::move(where), std::move(message), std::move(expected), std::move(details)};
}

// 12.1 step 1: a subject belongs to one (section, name) in the whole lineage.
std::optional<Error> check_subjects(const std::vector<Manifest> &manifests) {
  std::optional<Error> error;
  std::unordered_map<std::string, std::pair<std::string_view, std::string_view>> owners;
  for (const auto &manifest : manifests)
    each_section(manifest.model(), [&](std::string_view section, const auto &entries, auto) {
      if constexpr (requires { entries.front().second.subject; })
        for (const auto &[name, surface] : entries) {
          const std::pair<std::string_view, std::string_view> owner = {section, name};
          const auto [slot, fresh] = owners.try_emplace(wildcard_subject(surface.subject), owner);
          if (fresh || slot->second == owner || error) continue;
          error = conflict("subject_surface_conflict", json_pointer(section, name, "subject"),
                           canonical_string(slot->first) + " is already the subject of " +
                               json_pointer(slot->second.first, slot->second.second),
                           "one surface per subject", {{"key", name}, {"subject", slot->first}});
        }
    });
  return error;
}

// U of 12.1 step 2. Signals, state, KV and errors are not among the fields, as the chapter has it.
std::unordered_set<std::string_view> compared_schemas(const std::vector<Manifest> &manifests) {
  std::unordered_set<std::string_view> names;
  for (const auto &manifest : manifests)
    each_section(manifest.model(), [&](std::string_view, const auto &entries, auto fields) {
      for (const auto &[name, entry] : entries)
        for (const auto &field : fields)
          if (const auto *used = field.schema ? field.schema(entry) : nullptr) names.insert(*used);
    });
  return names;
}

// The lineage while it is put together.
class Lineage {
public:
  explicit Lineage(const std::vector<Manifest> &manifests) : manifests_(manifests) {}

  // 12.1 step 2.
  std::optional<Error> merge_named_schemas() {
    const auto compared = compared_schemas(manifests_);
    for (const auto &manifest : manifests_)
      for (const auto &[name, value] : entries_of(manifest.model().schemas)) {
        if (!compared.contains(name)) continue;
        const auto [slot, fresh] = schemas_.try_emplace(name, value);
        if (fresh) {
          schema_order_.push_back(name);
          continue;
        }
        const auto *merged = merger_.merge(*slot->second, *value);
        if (!merged)
          return conflict("named_schema_incompatible", json_pointer("schemas", name),
                          "differs between contracts of this lineage", "an equal or compatible schema",
                          {{"schema", name}});
        slot->second = merged;
      }
    return std::nullopt;
  }

  // 12.1 step 3, and the unions of 12.4 along with it. `section` answers a model's optional section.
  template <class T>
  std::optional<Error> merge_section(std::string_view word, std::optional<Named<T>> ManifestModel::*section,
                                     std::span<const Field<T>> fields, Named<T> &merged) {
    std::unordered_map<std::string_view, std::vector<Occurrence<T>>> occurrences;
    for (const auto &manifest : manifests_)
      for (const auto &[name, entry] : entries_of(manifest.model().*section)) {
        auto &of_name = occurrences[name];
        if (of_name.empty()) merged.emplace_back(name, entry);
        of_name.push_back({&manifest, &entry});
      }
    for (const auto &[name, first] : merged) {
      const auto &of_name = occurrences.at(name);
      for (std::size_t later = 1; later < of_name.size(); ++later)
        for (std::size_t earlier = 0; earlier < later; ++earlier)
          if (auto error = compare(json_pointer(word, name), name, of_name[earlier], of_name[later], fields))
            return error;
    }
    return std::nullopt;
  }

  std::shared_ptr<const JsonDocument> schemas() const {
    auto document = std::make_shared<JsonDocument>(rapidjson::kObjectType);
    auto &allocator = document->GetAllocator();
    for (const auto name : schema_order_) {
      JsonValue key(name.data(), static_cast<rapidjson::SizeType>(name.size()), allocator);
      document->AddMember(key, deep_copy(*schemas_.at(name), allocator), allocator);
    }
    return document;
  }

private:
  template <class T>
  struct Occurrence {
    const Manifest *manifest;
    const T *entry;
  };

  template <class T>
  std::optional<Error> compare(const std::string &where, const std::string &key, const Occurrence<T> &earlier,
                               const Occurrence<T> &later, std::span<const Field<T>> fields) {
    if constexpr (requires { earlier.entry->subject; })
      if (earlier.entry->subject != later.entry->subject)
        return conflict("different_subject", where + "/subject",
                        canonical_string(later.entry->subject) + " differs from " +
                            canonical_string(earlier.entry->subject),
                        "the same subject in all contracts of this lineage", {{"key", key}});
    for (const auto &field : fields) {
      const bool fine = field.same ? field.same(*earlier.entry, *later.entry)
                                   : !field.schema(*earlier.entry) == !field.schema(*later.entry);
      if (!fine)
        return conflict("different_field", where + json_pointer(field.name),
                        "differs between contracts of this lineage", "the same value, or absent in all",
                        {{"key", key}, {"field", std::string(field.name)}});
      if (field.schema && field.schema(*earlier.entry) && !merge_refs(field, earlier, later))
        return conflict("incompatible_schema", where + json_pointer(field.name),
                        "its schema differs between contracts of this lineage", "an equal or compatible schema",
                        {{"key", key}, {"field", std::string(field.name)}});
    }
    return std::nullopt;
  }

  // Each ref in its own manifest. The merge takes the place of what the earlier one's name stood for (12.4).
  template <class T>
  bool merge_refs(const Field<T> &field, const Occurrence<T> &earlier, const Occurrence<T> &later) {
    const auto &name = *field.schema(*earlier.entry);
    const auto *left = earlier.manifest->schema(name);
    const auto *right = later.manifest->schema(*field.schema(*later.entry));
    const auto *merged = left && right ? merger_.merge(*left, *right) : nullptr;
    if (merged) schemas_.insert_or_assign(name, merged);
    return merged;
  }

  const std::vector<Manifest> &manifests_;
  SchemaMerger merger_;
  std::unordered_map<std::string_view, const JsonValue *> schemas_;
  std::vector<std::string_view> schema_order_;
};

} // namespace

Result<MergedContract> merge_lineage(const std::vector<Manifest> &manifests) {
  if (auto error = check_subjects(manifests)) return tl::make_unexpected(std::move(*error));
  Lineage lineage(manifests);
  if (auto error = lineage.merge_named_schemas()) return tl::make_unexpected(std::move(*error));

  MergedContract out;
  out.id = manifests.front().id();
  out.capabilities = entries_of(manifests.front().model().capabilities);
  auto error = lineage.merge_section<RpcSurface>("rpc", &ManifestModel::rpc, kRpcFields, out.rpc);
  if (!error)
    error = lineage.merge_section<OperationSurface>("operations", &ManifestModel::operations, kOperationFields,
                                                    out.operations);
  if (!error) error = lineage.merge_section<EventSurface>("events", &ManifestModel::events, kEventFields, out.events);
  if (!error) error = lineage.merge_section<FeedSurface>("feeds", &ManifestModel::feeds, kFeedFields, out.feeds);
  if (!error) error = lineage.merge_section<JobQueue>("jobs", &ManifestModel::jobs, kJobFields, out.jobs);
  if (error) return tl::make_unexpected(std::move(*error));
  out.schemas = lineage.schemas();
  return out;
}

} // namespace trellis
