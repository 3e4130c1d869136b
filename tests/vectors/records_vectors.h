// Shared by the procedures of the record topics (jobs, health).
#pragma once

#include "wire/job_event.h"
#include "wire_vectors.h"

namespace trellis::vectors {

void register_health(Registry &registry);
void register_jobs_projection(Registry &registry);
void register_jobs_wire(Registry &registry);

JsonDocument json_list(const std::vector<std::string> &items); // each JSON text
Job required_job(const JsonValue &value);
// As the admin projection decodes it.
JobEvent required_event(const JsonValue &value);

} // namespace trellis::vectors
