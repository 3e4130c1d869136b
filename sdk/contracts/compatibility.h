// Whether contracts of one lineage can be active together, and what they amount to (01 §12).
#pragma once

#include "contracts/manifest.h"
#include <memory>
#include <string>
#include <vector>

namespace trellis {

// 01 §12.3. Error "incompatible".
Result<JsonDocument> merge_schemas(const JsonValue &left, const JsonValue &right);

// 01 §12.4: what dependents see of a lineage. Internal: it has no digest and is never published.
struct MergedContract {
  std::string id;
  Named<CapabilityText> capabilities;          // of the first manifest
  std::shared_ptr<const JsonDocument> schemas; // an object: name -> schema
  Named<RpcSurface> rpc;
  Named<OperationSurface> operations;
  Named<EventSurface> events;
  Named<FeedSurface> feeds;
  Named<JobQueue> jobs;
};

// `manifests` of one contract id, in order; at least one. The error's code is the reason of 01 §12.1
// ("subject_surface_conflict", "named_schema_incompatible", "different_subject", "different_field",
// "incompatible_schema"), with details `key`, `field`, `schema` where the chapter names them.
Result<MergedContract> merge_lineage(const std::vector<Manifest> &manifests);

} // namespace trellis
