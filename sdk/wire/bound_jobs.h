// The job queues of a service as bootstrap and Trellis.Bindings.Get deliver them (08 §4.3), and how a job of a queue
// begins (08 §7).
#pragma once

#include "wire/job_event.h"
#include <map>

namespace trellis {

struct BoundQueue {
  std::string queue_type, publish_prefix, work_subject, consumer_name;
  std::string payload_schema;
  std::optional<std::string> result_schema;
  std::int64_t max_deliver = 1, ack_wait_ms = 1, concurrency = 1;
  std::vector<std::int64_t> backoff_ms;
  std::optional<std::int64_t> default_deadline_ms;
  bool progress = true, logs = true, dlq = true;
  bool operator==(const BoundQueue &) const = default;

  // The first ack deadline, which is what the server applies (08 §4.4).
  std::int64_t first_ack_wait_ms() const { return backoff_ms.empty() ? ack_wait_ms : backoff_ms.front(); }
};

// Names are opaque: none of them may be derived from another (08 §4.2).
struct BoundJobs {
  std::string name_space;                   // `service` of events and jobs
  std::optional<std::string> work_stream;   // absent: no workers here
  std::map<std::string, BoundQueue> queues; // by alias
  bool operator==(const BoundJobs &) const = default;

  const BoundQueue *queue_of(std::string_view queue_type) const; // nullptr when there is none
};

std::string to_json(const BoundJobs &binding);
// Error "invalid_record". Unknown members are ignored.
Result<BoundJobs> parse_bound_jobs(std::string_view text);

// A pending job of `queue`; its deadline is the queue's default one from `now_ms` on. `payload` is JSON.
Job new_job(const BoundJobs &binding, const BoundQueue &queue, std::string id, std::string payload, JobContext context,
            std::int64_t now_ms);

} // namespace trellis
