// Lifecycle events of jobs, and the subjects that carry them (08 §3, §5.2, §6).
//
// Existing readers differ in what they take, and what one of them ignores must not move our row or snapshot, so the
// reader is named when decoding. The builders give every event the members that its row of 08 §6 asks for; they take
// the time as text because admin events may be more exact than milliseconds.
#pragma once

#include "wire/job_record.h"

namespace trellis {

enum class JobEventType {
  created,
  started,
  progress,
  logged,
  retry,
  completed,
  failed,
  cancelled,
  expired,
  dead,
  retried,
  dismissed
};
std::string_view job_event_type_name(JobEventType type);
std::optional<JobEventType> job_event_type_of(std::string_view name);

struct JobEvent {
  std::string job_id, service, job_type;
  JobEventType type = JobEventType::created;
  JobState state = JobState::pending;
  std::optional<JobState> previous_state;
  JobContext context;
  std::int64_t tries = 0;
  std::optional<std::int64_t> max_tries;
  std::optional<std::string> payload; // JSON
  std::optional<std::string> deadline;
  std::optional<std::string> result; // JSON
  std::optional<std::string> error;
  std::optional<JobProgress> progress;
  std::optional<std::vector<JobLog>> logs;
  std::string timestamp;
  bool operator==(const JobEvent &) const = default;
};

enum class JobEventReader {
  projection,     // null is absence, patterns and times unchecked
  worker,         // the same, but a null payload is one: whether it is legal is the schema's business (08 §7)
  local_snapshot, // strict
};

std::string to_json(const JobEvent &event);
// Error "invalid_record" with the JSON pointer: what this reader ignores. Unknown members are ignored.
Result<JobEvent> parse_job_event(std::string_view text, JobEventReader reader);

// The job of a new one: pending, no tries, created = updated = `now`.
struct NewJob {
  std::string id, service, type;
  JobContext context;
  std::string payload; // JSON
  std::int64_t max_tries = 1;
  std::optional<std::string> deadline;
  std::string now;
};
Job pending_job(const NewJob &job);
JobEvent created_event(const Job &job);

// The rest describe a change of `job` as its publisher holds it; the job itself is not changed.
JobEvent started_event(const Job &job, std::string now);
JobEvent progress_event(const Job &job, JobProgress progress, std::string now);
JobEvent logged_event(const Job &job, JobLogLevel level, std::string message, std::string now);
JobEvent retry_event(const Job &job, std::string error, std::string now);
JobEvent completed_event(const Job &job, std::optional<std::string> result, std::string now);
JobEvent failed_event(const Job &job, std::string error, std::string now);
JobEvent cancelled_event(const Job &job, std::optional<std::string> error, std::string now);
JobEvent expired_event(const Job &job, std::string now);
JobEvent retried_event(const Job &job, std::string now);
JobEvent dismissed_event(const Job &job, std::string now);

// The job of a work message, "created" or "retried" with a payload; nullopt when it is no work (08 §8.2).
std::optional<Job> job_of_work(const JobEvent &event);

// "<publishPrefix>.<jobId>.<eventType>", and "trellis.jobs.<service>.<jobType>.<jobId>.<eventType>".
std::string lifecycle_subject(std::string_view publish_prefix, const JobEvent &event);
std::string canonical_subject(const JobEvent &event);
// Every event of one job: "<publishPrefix>.<jobId>.*" and its canonical form.
std::string lifecycle_filter(std::string_view publish_prefix, std::string_view job_id);
std::string canonical_filter(std::string_view service, std::string_view job_type, std::string_view job_id);
// The first four tokens of the subject of a "created": where the job's other events belong (08 §11); "" when the
// subject has another shape.
std::string lifecycle_prefix_of(std::string_view subject);

} // namespace trellis
