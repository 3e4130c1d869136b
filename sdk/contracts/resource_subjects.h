// The JetStream subjects behind buckets, stores, job queues and event consumers (02 §9.2). Internal to sdk/contracts.
#pragma once

#include "contracts/authority.h"
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

enum class BucketCreation { allowed, refused };
std::vector<std::string> kv_subjects(std::string_view bucket, BucketCreation creation);

// Publish grants of a deployment that runs the jobs administration (02 §8.4).
std::vector<std::string> jobs_admin_subjects();

struct ResourceSubjects {
  std::vector<std::string> publish, subscribe; // with duplicates
};
// Of all bindings of a deployment. A binding without the names that its kind needs adds nothing.
ResourceSubjects resource_subjects(std::vector<BindingRef> bindings);

} // namespace trellis
